#include "storage/read/log_reader.h"
#include "tests/unit/storage/read/log_reader_fixture.h"

namespace penstock {
namespace {

class LogGapTest : public LogReaderTest {
 protected:
  // Two that are closed, which keep each other, and an open one. Returns the second one's first
  // message.
  std::uint64_t three_segments() {
    closed(0, 1);
    const std::uint64_t first = written_;
    closed(1, 1);
    forge_.begin(2, 1);
    blocks(2);
    return first;
  }
};
using LogGapLargeSegmentsTest = LogReaderLargeSegmentsTest;

TEST_F(LogGapTest, ADamagedBlockIsACorruptGapOfExactlyItsMessages) {
  closed(0);
  const std::size_t pages = 2;  // of a block of three messages
  forge_.begin(1);
  const std::uint64_t first = written_;
  blocks(10);
  slot(1)[(1 + 4 * pages) * kPageBytes + 300] ^= std::byte{1};
  LogReader all = reader(kAll);
  const Got got = read(all);
  ASSERT_EQ(got.gaps.size(), 1U);
  EXPECT_EQ(got.gaps[0].kind, GapKind::kCorrupt);
  EXPECT_EQ(got.gaps[0].first, Offset(first + 12));
  EXPECT_EQ(got.gaps[0].next, Offset(first + 15));
  EXPECT_EQ(got.offsets.size(), written_ - 3);
  EXPECT_EQ(got.offsets.back(), written_ - 1);

  LogReader everything = reader(std::nullopt);
  const Got of_log = read(everything);
  ASSERT_EQ(of_log.gaps.size(), 1U);
  EXPECT_EQ(of_log.gaps[0].kind, GapKind::kCorrupt);
  EXPECT_EQ(of_log.gaps[0].first, of_log.gaps[0].next) << "not known";
  EXPECT_EQ(of_log.numbers.size(), written_ - 3);
}

TEST_F(LogGapTest, OneDamagedBlockAnywhereInAClosedSegmentLosesItAlone) {
  closed(0);
  closed(1);
  LogReader whole = reader(kAll);
  const auto before = read(whole).offsets;
  Rng rng(1);
  for (int i = 0; i < 100; ++i) {
    const std::size_t at = kPageBytes + rng.below(kMiB - 200 * 1024);
    slot(0)[at] ^= std::byte{16};
    LogReader all = reader(kAll);
    const Got got = read(all);
    ASSERT_EQ(got.gaps.size(), 1U) << at;
    ASSERT_EQ(got.gaps[0].next - got.gaps[0].first, 20U) << at;
    ASSERT_EQ(got.offsets.size() + 20, before.size()) << at;
    slot(0)[at] ^= std::byte{16};
  }
}

TEST_F(LogGapTest, AReaderFromTheBeginningIsToldThatTheOldestSegmentsHeaderIsDamaged) {
  const std::uint64_t first = three_segments();
  slot(0)[100] ^= std::byte{1};
  for (const std::optional<StreamId> stream : {std::optional(kAll), std::optional<StreamId>()}) {
    LogReader all = reader(stream);
    const Got got = read(all);
    ASSERT_EQ(got.gaps.size(), 1U);
    EXPECT_EQ(got.gaps[0].kind, GapKind::kLost);
    EXPECT_EQ(got.gaps[0].first, got.gaps[0].next) << "not known";
    ASSERT_FALSE(got.numbers.empty());
    EXPECT_EQ(got.numbers.front(), first);
  }
}

// Wherever it begins in front of what is left; never as if retention had taken it.
TEST_F(LogGapTest, AReaderThatSeeksInFrontOfALostOldestSegmentIsToldSo) {
  const std::uint64_t first = three_segments();
  slot(0)[100] ^= std::byte{1};
  const auto expect_lost = [&](LogReader& reader, std::string_view how) {
    SCOPED_TRACE(how);
    const Got got = read(reader);
    ASSERT_EQ(got.gaps.size(), 1U);
    EXPECT_EQ(got.gaps[0].kind, GapKind::kLost) << got.gaps[0].what;
    ASSERT_FALSE(got.numbers.empty());
    EXPECT_EQ(got.numbers.front(), first);
  };
  LogReader all = reader(kAll);
  ASSERT_TRUE(all.seek_offset(Offset(5)).has_value());
  expect_lost(all, "offset");
  ASSERT_TRUE(all.seek_last(written_ - 5).has_value());
  expect_lost(all, "last");
  ASSERT_TRUE(all.seek_time(UnixNanos(500)).has_value());
  expect_lost(all, "time");
  LogReader whole = reader(std::nullopt);
  ASSERT_TRUE(whole.seek_last(written_ - 5).has_value());
  expect_lost(whole, "last of the log");
}

TEST_F(LogGapTest, AReaderThatSeeksWhatIsLeftIsToldOfNoLostSegmentInFrontOfIt) {
  const std::uint64_t first = three_segments();
  slot(0)[100] ^= std::byte{1};
  LogReader all = reader(kAll);
  ASSERT_TRUE(all.seek_offset(Offset(first)).has_value());
  EXPECT_TRUE(read(all).gaps.empty());
  ASSERT_TRUE(all.seek_last(written_ - first).has_value());
  EXPECT_TRUE(read(all).gaps.empty());
  ASSERT_TRUE(all.seek_time(UnixNanos(100 * static_cast<std::int64_t>(first + 1))).has_value());
  EXPECT_TRUE(read(all).gaps.empty());
  LogReader whole = reader(std::nullopt);
  ASSERT_TRUE(whole.seek_last(written_ - first).has_value());
  EXPECT_TRUE(read(whole).gaps.empty());
}

TEST_F(LogGapTest, AReaderFromTheBeginningIsToldThatNothingOfTheOldestSegmentIsWhole) {
  const std::uint64_t first = three_segments();
  std::ranges::fill(slot(0), std::byte{0x5a});
  LogReader all = reader(kAll);
  const Item told = all.next().value();
  ASSERT_TRUE(std::holds_alternative<Gap>(told));
  EXPECT_EQ(std::get<Gap>(told).kind, GapKind::kLost);
  EXPECT_EQ(read(all).numbers, count(first, written_));
}

TEST_F(LogGapTest, ADamagedHeaderOfARetiredSegmentIsNoGap) {
  closed(0, 1);
  closed(1, 1);
  closed(2, 2);
  slot(0)[100] ^= std::byte{1};
  LogReader all = reader(kAll);
  EXPECT_TRUE(read(all).gaps.empty());
}

TEST_F(LogGapTest, DamageThatHoldsNothingOfAStreamIsNoGapOfIt) {
  forge_.begin(0);
  forge_.block(100, {"all"});
  forge_.block(100, {"odd"});
  const std::size_t damaged = forge_.last_offset;
  forge_.block(100, {"all"});
  forge_.block(100, {"odd"});
  forge_.seal();
  slot(0)[damaged + 200] ^= std::byte{1};
  LogReader all = reader(kAll);
  const Got got = read(all);
  EXPECT_EQ(got.offsets, count(0, 2));
  EXPECT_TRUE(got.gaps.empty());
}

// A crash left a block behind one that was torn, and the slot of those that follow lost its header:
// their numbers are not given again, and what was left does not join the log.
TEST_F(LogGapTest, WhatACrashLeftBehindTheEndOfTheLogIsNotRead) {
  forge_.begin(0);
  blocks(2);
  const ForgePlace good = forge_.place;
  message();
  forge_.seal(good.sequence);
  slot(0)[forge_.last_offset + 200] ^= std::byte{1};
  message();
  forge_.seal(good.sequence);
  forge_.begin(1);
  message();
  forge_.seal(good.sequence);
  slot(1)[100] ^= std::byte{1};
  LogReader cut = reader(kAll);
  EXPECT_EQ(read(cut).offsets, count(0, 6));

  LogForge again(volume_, {forge_.place.sequence, good.crc}, 9, "all", Offset(100));
  again.begin(2);
  again.message("0 of another life");
  again.seal();
  again.seal();
  LogReader later = reader(kAll);
  const Got got = read(later);
  EXPECT_EQ(got.offsets, (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 100}));
  ASSERT_EQ(got.gaps.size(), 1U);
  EXPECT_EQ(got.gaps[0].first, Offset(6));
  EXPECT_EQ(got.gaps[0].next, Offset(100));
}

TEST_F(LogGapTest, DamageAtTheEndIsToldAtOnceAndWithItsExtentLater) {
  forge_.begin(0);
  blocks(4);
  LogReader all = reader(kAll);
  slot(0)[forge_.last_offset + 99] ^= std::byte{1};
  Got got = read(all);
  EXPECT_EQ(got.offsets, count(0, 9));
  ASSERT_EQ(got.gaps.size(), 1U);
  EXPECT_EQ(got.gaps[0].first, got.gaps[0].next) << "not known yet";
  EXPECT_TRUE(read(all).gaps.empty()) << "told once";
  blocks(1);
  all.refresh(end());
  got = read(all);
  ASSERT_EQ(got.gaps.size(), 1U);
  EXPECT_EQ(got.gaps[0].kind, GapKind::kCorrupt);
  EXPECT_EQ(got.gaps[0].first, Offset(9));
  EXPECT_EQ(got.gaps[0].next, Offset(12));
  EXPECT_EQ(got.offsets, count(12, 15));
}

TEST_F(LogGapTest, ADamagedIndexCostsNothingButTime) {
  closed(0);
  slot(0)[forge_.position() * kPageBytes + 5] ^= std::byte{1};
  closed(1);
  LogReader odd = reader(kOdd);
  EXPECT_EQ(read(odd).offsets, count(0, written_ / 2));
  ASSERT_TRUE(odd.seek_offset(Offset(20)).has_value());
  EXPECT_EQ(read(odd).offsets, count(20, written_ / 2));
}

TEST_F(LogGapTest, AMissingSegmentIsALostGap) {
  closed(0);
  const std::uint64_t first = written_;
  closed(1);
  const std::uint64_t next = written_;
  closed(2);
  drive_.slots.erase(1);
  LogReader all = reader(kAll);
  const Got got = read(all);
  ASSERT_EQ(got.gaps.size(), 1U);
  EXPECT_EQ(got.gaps[0].kind, GapKind::kLost);
  EXPECT_EQ(got.gaps[0].first, Offset(first));
  EXPECT_EQ(got.gaps[0].next, Offset(next));
  EXPECT_EQ(got.offsets.size(), written_ - (next - first));
}

// Slot 0 is written anew under a reader that stands in its earlier segment and has read a part of
// it ahead.
TEST_F(LogGapLargeSegmentsTest, ARecycledSlotIsATrimmedGapAndNeverAnotherSegmentsData) {
  closed(0);
  const std::uint64_t second = written_;
  closed(1);
  closed(2);
  LogReader all = reader(kAll);
  const Got before = read(all, 25);
  EXPECT_EQ(before.offsets, count(0, 25));
  forge_.begin(0, 2);
  fill();
  all.refresh(end());
  const Got got = read(all);
  ASSERT_EQ(got.gaps.size(), 1U);
  EXPECT_EQ(got.gaps[0].kind, GapKind::kTrimmed);
  EXPECT_EQ(got.gaps[0].next, Offset(second));
  // What was read ahead before is still given: it was true.
  EXPECT_LT(got.gaps[0].first, Offset(second));
  std::vector<std::uint64_t> expected = count(25, got.gaps[0].first.value);
  std::ranges::copy(count(second, written_), std::back_inserter(expected));
  EXPECT_EQ(got.offsets, expected);
}

TEST_F(LogGapTest, ASegmentThatWasRecycledBeforeItWasEnteredIsATrimmedGap) {
  closed(0);
  const std::uint64_t second = written_;
  closed(1);
  const std::uint64_t third = written_;
  closed(2);
  LogReader all = reader(kAll);
  EXPECT_EQ(read(all, second).gaps.size(), 0U);
  forge_.begin(1, 3);
  blocks(2);
  all.refresh(end());
  const Got got = read(all);
  ASSERT_EQ(got.gaps.size(), 1U);
  EXPECT_EQ(got.gaps[0].kind, GapKind::kTrimmed);
  EXPECT_EQ(got.gaps[0].first, Offset(second));
  EXPECT_EQ(got.gaps[0].next, Offset(third));
  EXPECT_EQ(got.offsets, count(third, written_));
}

// What a crash left in slot 0, one block torn and one whole, was never durable. The node went on in
// slot 1, whose header is lost since.
TEST_F(LogGapTest, WhatACrashLeftIsNotTakenForTheBlocksOfASegmentWhoseHeaderIsLost) {
  forge_.begin(0);
  blocks(4);
  const std::uint64_t durable = written_;
  const ForgePlace good = forge_.place;
  for (int i = 0; i < 2; ++i) {
    message();
    forge_.seal(good.sequence);
    if (i == 0) slot(0)[forge_.last_offset + 200] ^= std::byte{1};
  }
  LogForge again(volume_, good, 2, "all", Offset(durable));
  again.begin(1);
  for (int i = 0; i < 3; ++i) again.block();
  const LogEnd end{again.place.sequence, SlotIndex(1), Generation(again.header().generation),
                   again.position()};
  drive_.slots.erase(1);
  RecoveredLog log = recover_volume(volume_).value().logs[kLog];
  LogReader all(volume_, kLog, kAll, log, end);
  const Got got = read(all);
  EXPECT_EQ(got.numbers, count(0, durable));
  EXPECT_EQ(got.gaps.size(), 1U);
}

// All that it knows of is retired, and what there is now begins behind the end that it knows.
TEST_F(LogGapTest, AReaderLeftFarBehindIsToldThatAllWasTrimmed) {
  closed(0);
  closed(1);
  LogReader all = reader(kAll);
  closed(0, 3);
  const std::uint64_t kept = written_;
  closed(1, 4);
  std::ranges::fill(slot(0).first(kPageBytes), std::byte{0});
  const Got before = read(all);
  EXPECT_TRUE(before.numbers.empty());
  for (const Gap& gap : before.gaps) EXPECT_EQ(gap.kind, GapKind::kTrimmed) << gap.what;
  all.refresh(end());
  const Got got = read(all);
  ASSERT_EQ(got.gaps.size(), 1U);
  EXPECT_EQ(got.gaps[0].kind, GapKind::kTrimmed) << got.gaps[0].what;
  EXPECT_EQ(got.offsets, count(kept, written_));
}

TEST_F(LogGapTest, ASegmentWhoseSlotIsGoneIsAGapAndNotTheEnd) {
  closed(0);
  const std::uint64_t second = written_;
  closed(1);
  forge_.begin(2);
  blocks(2);
  LogReader all = reader(kAll);
  drive_.slots.erase(1);
  EXPECT_EQ(read(all, second).gaps.size(), 0U);
  const Got got = read(all);
  ASSERT_EQ(got.gaps.size(), 1U);
  EXPECT_EQ(got.gaps[0].first, Offset(second));
  EXPECT_EQ(got.gaps[0].next, Offset(written_ - 6));
  EXPECT_EQ(got.offsets, count(written_ - 6, written_));
}

// Whatever is damaged, a message is given as it was written or lies in a gap.
TEST_F(LogGapTest, RandomDamageIsAlwaysToldAndNeverGiven) {
  for (std::uint32_t i = 0; i < 3; ++i) closed(i);
  forge_.begin(3);
  blocks(30);
  forge_.begin(4);
  blocks(10);
  const MemoryDrive whole = drive_;
  const RecoveredLog log = recover_volume(volume_).value().logs[kLog];
  Rng rng(1);
  std::uint64_t damaged = 0;
  std::uint64_t failed = 0;
  constexpr int kRounds = 200;
  for (int round = 0; round < kRounds; ++round) {
    drive_ = whole;
    for (std::uint64_t n = 1 + rng.below(12); n > 0; --n) {
      const auto bytes = slot(static_cast<std::uint32_t>(rng.below(5)));
      const std::size_t at = rng.below(bytes.size());
      const std::size_t length = std::min(bytes.size() - at, 1 + rng.below(30'000));
      for (std::size_t i = 0; i < length; ++i) {
        bytes[at + i] = static_cast<std::byte>(length % 3 == 0 ? 0 : rng.next());
      }
    }
    LogReader all(volume_, kLog, kAll, log, end());
    std::uint64_t next = 0;
    bool told = false;
    bool good = true;
    const Got got = read(all);
    for (std::size_t i = 0; i < got.offsets.size(); ++i) good &= got.offsets[i] == got.numbers[i];
    std::size_t given = 0;
    for (const Gap& gap : got.gaps) {
      while (given < got.offsets.size() && got.offsets[given] < gap.first.value) {
        good &= got.offsets[given++] == next++;
      }
      // Only the extent of one at the very beginning, or at the very end, may be unknown.
      good &= gap.first == Offset(next) || (gap.first == gap.next && next == 0);
      next = gap.next.value;
    }
    while (given < got.offsets.size()) good &= got.offsets[given++] == next++;
    told = !got.gaps.empty();
    good &= next == written_ || told;
    damaged += told ? 1 : 0;
    failed += good ? 0 : 1;
  }
  fmt::print("FIGURE name=reader_random_damage cases={} failed={}\n", kRounds, failed);
  EXPECT_EQ(failed, 0U);
  EXPECT_GT(damaged, 150U);
}

}  // namespace
}  // namespace penstock
