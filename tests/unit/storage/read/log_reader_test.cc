#include "storage/read/log_reader.h"

#include "tests/lib/log_fixture.h"
#include "tests/unit/storage/read/log_reader_fixture.h"

namespace penstock {
namespace {

TEST_F(LogReaderTest, AnEmptyLogIsAtItsEnd) {
  LogReader reader(volume_, kLog, kAll, {}, {});
  EXPECT_TRUE(std::holds_alternative<AtEnd>(reader.next().value()));
  EXPECT_EQ(reader.first_offset().value(), Offset(0));
  EXPECT_EQ(reader.next_offset().value(), Offset(0));
}

TEST_F(LogReaderTest, AllMessagesComeInOrderAcrossSegments) {
  closed(0);
  closed(1);
  forge_.begin(2);
  blocks(4);
  LogReader all = reader(std::nullopt);
  const Got got = read(all);
  EXPECT_EQ(got.numbers, count(0, written_));
  EXPECT_TRUE(got.gaps.empty());
}

TEST_F(LogReaderTest, AStreamsMessagesComeWithTheirOffsets) {
  closed(0);
  closed(1);
  forge_.begin(2);
  blocks(4);
  LogReader odd = reader(kOdd);
  const Got got = read(odd);
  EXPECT_EQ(got.numbers, count(1, written_, 2));
  EXPECT_EQ(got.offsets, count(0, written_ / 2));
  EXPECT_TRUE(got.gaps.empty());
}

TEST_F(LogReaderTest, AStreamThatTheLogDoesNotHoldIsEmptyAndCostsNoReading) {
  for (std::uint32_t i = 0; i < 8; ++i) closed(i);
  LogReader none = reader(stream_id("none"));
  auto& device = static_cast<MemoryDevice&>(volume_.device());
  device.bytes_read = 0;
  EXPECT_TRUE(read(none).numbers.empty());
  EXPECT_LT(device.bytes_read, 2 * kMiB);
}

TEST_F(LogReaderTest, WhatIsWrittenMeanwhileIsReadBlockByBlockAcrossSegments) {
  forge_.begin(0);
  blocks(1);
  LogReader all = reader(kAll);
  Got got;
  auto& device = static_cast<MemoryDevice&>(volume_.device());
  std::uint32_t slot = 0;
  for (int i = 0; i < 100; ++i) {
    if (!forge_.has_room(LogForge::kBlockBytes)) {
      forge_.close();
      forge_.begin(++slot);
    }
    blocks(1, 20);
    all.refresh(end());
    const std::uint64_t before = written_ - 20;
    got = read(all);
    ASSERT_TRUE(got.gaps.empty()) << got.gaps[0].what;
    ASSERT_EQ(got.offsets.back(), written_ - 1);
    if (i > 0) {
      ASSERT_EQ(got.offsets, count(before, written_));
    }
  }
  EXPECT_GT(slot, 2U);
  EXPECT_LT(device.bytes_read, 200 * kMiB);
}

TEST_F(LogReaderTest, BlocksBehindTheDurableEndAreNotRead) {
  forge_.begin(0);
  blocks(4);
  const RecoveredLog log = recover_volume(volume_).value().logs[kLog];
  LogReader all(volume_, kLog, kAll, log, {BlockSequence(2)});
  EXPECT_EQ(read(all).numbers, count(0, 6));
  all.refresh({BlockSequence(3)});
  EXPECT_EQ(read(all).numbers, count(6, 9));
}

TEST_F(LogReaderTest, VoidBlocksAreNotGivenTwice) {
  forge_.begin(0);
  blocks(3);
  const ForgePlace good = forge_.place;
  const std::uint64_t written = written_;
  LogReader live = reader(kAll);
  EXPECT_EQ(read(live).offsets, count(0, written));
  blocks(1);  // fails, and so does the next segment's first block
  forge_.begin(1);
  blocks(1);
  LogForge again(volume_, good, 3, "all", Offset(written));
  again.begin(2);
  for (int i = 0; i < 4; ++i) again.block();
  const LogEnd end{again.place.sequence, SlotIndex(2), Generation(again.header().generation),
                   again.position()};
  live.refresh(end);
  std::vector<std::uint64_t> offsets;
  for (auto item = live.next().value(); !std::holds_alternative<AtEnd>(item);
       item = live.next().value()) {
    ASSERT_TRUE(std::holds_alternative<Record>(item));
    offsets.push_back(std::get<Record>(item).offset.value);
  }
  EXPECT_EQ(offsets, count(written, 13));
  LogReader fresh = reader(kAll);
  std::uint64_t expected = 0;
  for (auto item = fresh.next().value(); !std::holds_alternative<AtEnd>(item);
       item = fresh.next().value()) {
    ASSERT_EQ(std::get<Record>(item).offset, Offset(expected++));
  }
  EXPECT_EQ(expected, 13U);
}

TEST_F(LogReaderLargeSegmentsTest, ADriveThatFailsIsAnErrorAndNothingIsLostByIt) {
  closed(0);
  closed(1);
  LogReader all = reader(kAll);
  auto& device = static_cast<MemoryDevice&>(volume_.device());
  std::uint64_t expected = 0;
  int errors = 0;
  Rng rng(1);
  for (;;) {
    device.failing = rng.below(2) == 0;
    const auto item = all.next();
    if (!item) {
      ++errors;
      ASSERT_EQ(item.error().code, Errc::kIoError);
      continue;
    }
    if (std::holds_alternative<AtEnd>(*item)) break;
    ASSERT_TRUE(std::holds_alternative<Record>(*item));
    ASSERT_EQ(std::get<Record>(*item).offset, Offset(expected++));
  }
  EXPECT_EQ(expected, written_);
  EXPECT_GT(errors, 2);
}

// A flush failed, the drive's cache is gone, and the next node began where the log was durable.
TEST_F(LogReaderTest, ABlockReadBeforeItWasDurableIsReadAgain) {
  forge_.begin(0);
  blocks(1);
  const LogEnd before = end();
  blocks(1);
  LogReader all(volume_, kLog, kAll, recover_volume(volume_).value().logs[kLog], before);
  EXPECT_EQ(read(all).numbers, count(0, 3));
  const auto block = slot(0).subspan(forge_.last_offset, forge_.last_bytes);
  std::ranges::replace(block.subspan(sizeof(BlockHeader)), std::byte{'3'}, std::byte{'7'});
  finish_block(block, load<BlockHeader>(block));
  all.refresh(end());
  EXPECT_EQ(read(all).numbers, (std::vector<std::uint64_t>{7, 4, 5}));
}

// It looks like one that follows: only the newer segment says that it does not.
TEST_F(LogReaderTest, AVoidBlockIsNotReadInPlaceOfTheOneThatFollows) {
  forge_.begin(0);
  blocks(1);
  const ForgePlace good = forge_.place;
  LogReader live = reader(kAll);
  EXPECT_EQ(read(live).numbers, count(0, 3));
  blocks(1);  // its write failed, so the node says, which ends before it is written again
  LogForge again(volume_, good, 2, "all", Offset(3));
  again.begin(1);
  again.message("100 ");
  again.seal();
  live.refresh({again.place.sequence, SlotIndex(1), Generation(again.header().generation),
                again.position()});
  const Got got = read(live);
  EXPECT_EQ(got.numbers, (std::vector<std::uint64_t>{100}));
  EXPECT_TRUE(got.gaps.empty());
}

// The node went on in the segment in front of it, and gave its number to another one later.
TEST_F(LogReaderTest, AnEmptySegmentThatAPowerCutTookIsNotTheNextOfItsNumber) {
  forge_.begin(0);
  blocks(2);
  LogForge cut(volume_, forge_.place, 2, "all", Offset(written_));
  cut.begin(1);
  LogReader live = reader(kAll);
  EXPECT_EQ(read(live).numbers, count(0, 6));
  std::ranges::fill(slot(1).first(kPageBytes), std::byte{0});
  blocks(2);
  const LogEnd durable = end();
  forge_.life = 1;
  forge_.begin(2);
  live.refresh(durable);
  const Got got = read(live);
  EXPECT_EQ(got.numbers, count(6, 12));
  EXPECT_TRUE(got.gaps.empty());
}

// A real log on real files, read by a slower reader while retention recycles its slots.
TEST(LiveLogReader, EveryMessageOfALiveLogIsReadOrInATrimmedGap) {
  TestFolder folder;
  LogFixtureOptions options;
  options.retention.max_bytes = 3 * kMiB;
  LogFixture fixture(folder.path(), options);
  Volume volume =
      Volume::open(open_volume_device(folder.path(), DeviceAccess::kReadOnly).value()).value();
  LogReader reader(volume, kLog, kAll, {}, {});
  Rng rng(1);
  std::uint64_t written = 0;
  std::uint64_t expected = 0;
  std::uint64_t trimmed = 0;
  const auto read_some = [&](std::uint64_t most) {
    reader.refresh(end_of(fixture.log().watermarks()));
    for (std::uint64_t i = 0; i < most; ++i) {
      const Item item = reader.next().value();
      if (std::holds_alternative<AtEnd>(item)) return;
      if (const auto* gap = std::get_if<Gap>(&item)) {
        ASSERT_EQ(gap->kind, GapKind::kTrimmed) << gap->what;
        ASSERT_EQ(gap->first, Offset(expected));
        trimmed += gap->next - gap->first;
        expected = gap->next.value;
        continue;
      }
      const auto& record = std::get<Record>(item);
      ASSERT_EQ(record.offset, Offset(expected));
      std::uint64_t number = 0;
      ASSERT_EQ(record.message.payload.size(), 1000U);
      std::memcpy(&number, record.message.payload.data(), sizeof number);
      ASSERT_EQ(number, expected);
      ++expected;
    }
  };
  for (int round = 0; round < 200; ++round) {
    for (std::uint64_t n = rng.below(200); n > 0; --n) {
      std::string payload(1000, 'x');
      std::memcpy(payload.data(), &written, sizeof written);
      fixture.append("a.b", payload);
      ++written;
      fixture.step();
    }
    // Now and then it falls far behind.
    if (round % 100 < 40) read_some(rng.below(400));
    if (testing::Test::HasFatalFailure()) return;
  }
  fixture.drain();
  read_some(~std::uint64_t{0});
  EXPECT_EQ(expected, written);
  EXPECT_GT(trimmed, 0U);
}

// Headers reach the drive in any order: this one did before that of the segment in front of it.
TEST_F(LogReaderTest, ASegmentBehindTheDurableEndIsNotTheBeginning) {
  forge_.begin(0);
  const LogEnd begun = end();
  blocks(2);
  const LogEnd durable = end();
  forge_.begin(1);
  std::vector<std::byte> header(slot(0).begin(), slot(0).begin() + kPageBytes);
  std::ranges::fill(slot(0).first(kPageBytes), std::byte{0});
  RecoveredLog log = recover_volume(volume_).value().logs[kLog];
  LogReader all(volume_, kLog, kAll, log, begun);
  EXPECT_TRUE(read(all).numbers.empty());
  std::ranges::copy(header, slot(0).begin());
  all.refresh(durable);
  EXPECT_EQ(read(all).numbers, count(0, written_));
}

}  // namespace
}  // namespace penstock
