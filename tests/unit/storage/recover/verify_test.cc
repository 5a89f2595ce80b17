#include "storage/recover/verify.h"

#include <gtest/gtest.h>

#include "tests/lib/log_fixture.h"
#include "tests/lib/log_forge.h"

namespace penstock {
namespace {

class VerifyTest : public testing::Test {
 protected:
  VerifyTest() : volume_(make_memory_volume(drive_, {"all", "other"})), forge_(volume_) {}

  // Whatever is found, every byte of every slot is in exactly one account.
  VerifyReport verify() {
    VerifyReport report = verify_volume(volume_.device()).value();
    EXPECT_EQ(report.slots, drive_.slots.size());
    EXPECT_EQ(
        report.total.bytes_checked + report.total.unused_bytes + report.total.unreadable_bytes,
        report.slots * kMiB);
    return report;
  }
  std::vector<Finding::Kind> kinds() {
    std::vector<Finding::Kind> kinds;
    for (const Finding& finding : verify().findings) kinds.push_back(finding.kind);
    return kinds;
  }
  using Kinds = std::vector<Finding::Kind>;

  std::span<std::byte> slot(std::uint32_t number) { return drive_.slots.at(number); }
  void segment(std::uint32_t number, int blocks) {
    forge_.begin(number);
    for (int i = 0; i < blocks; ++i) forge_.block();
    forge_.close();
  }
  void put_header(std::uint32_t number, SegmentHeader header) {
    encode_segment_header(slot(number).first(kPageBytes), header);
  }

  MemoryDrive drive_;
  Volume volume_;
  LogForge forge_;
};

TEST_F(VerifyTest, AWholeVolumeHasNoFindingsAndAllItHoldsIsCounted) {
  segment(0, 10);
  segment(1, 10);
  forge_.begin(2);
  for (int i = 0; i < 5; ++i) forge_.block(1000, {"all", "other"});
  LogForge second(volume_, LogNumber(1));
  second.begin(3);
  second.block(700);
  const VerifyReport report = verify();
  for (const Finding& finding : report.findings) ADD_FAILURE() << finding.what;
  EXPECT_EQ(report.total.segments, 4U);
  EXPECT_EQ(report.total.closed, 2U);
  EXPECT_EQ(report.total.open, 2U);
  EXPECT_EQ(report.total.blocks, forge_.place.sequence.value + 1);
  EXPECT_EQ(report.total.messages, forge_.place.sequence.value + 1);
  EXPECT_EQ(report.total.payload_bytes, forge_.payload_bytes + 700);
  EXPECT_EQ(report.logs.at(LogNumber(0)).messages, forge_.place.sequence.value);
  EXPECT_EQ(report.logs.at(LogNumber(1)).payload_bytes, 700U);
  EXPECT_EQ(report.total.unreadable_bytes, 0U);
}

TEST_F(VerifyTest, ADamagedBlockIsLocated) {
  segment(0, 10);
  segment(1, 3);
  forge_.begin(2);
  forge_.block();
  slot(0)[5 * 2 * kPageBytes] ^= std::byte{1};
  const auto findings = verify().findings;
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].kind, Finding::Kind::kCorruptBlock);
  EXPECT_EQ(findings[0].slot, SlotIndex(0));
  EXPECT_EQ(findings[0].offset, kPageBytes * (1 + 2 * 4));
  EXPECT_EQ(findings[0].bytes, 2 * kPageBytes);
}

TEST_F(VerifyTest, ADurableBlockOfAnOpenSegmentIsDamageAnUnprovenOneATornTail) {
  forge_.begin(0);
  for (int i = 0; i < 5; ++i) forge_.block();
  slot(0)[forge_.last_offset + 100] ^= std::byte{1};
  EXPECT_EQ(kinds(), Kinds{Finding::Kind::kTornTail});
  EXPECT_FALSE(is_damage(verify().findings[0]));
  slot(0)[kPageBytes + 100] ^= std::byte{1};
  const auto findings = verify().findings;
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].kind, Finding::Kind::kCorruptBlock);
  EXPECT_EQ(findings[0].offset, kPageBytes);
  EXPECT_EQ(findings[0].bytes, 2 * kPageBytes);
}

TEST_F(VerifyTest, ABlockThatAnyBlockOfALaterSegmentProvesIsDamage) {
  forge_.begin(0);
  for (int i = 0; i < 5; ++i) forge_.block();
  const std::size_t last = forge_.last_offset;
  forge_.begin(1);
  forge_.message("sealed before the block before it was durable");
  forge_.seal(BlockSequence(2));
  forge_.block();
  slot(0)[last] ^= std::byte{1};
  EXPECT_EQ(kinds(), Kinds{Finding::Kind::kCorruptBlock});
}

TEST_F(VerifyTest, AMissingSegmentIsFound) {
  for (std::uint32_t i = 0; i < 4; ++i) segment(i, 3);
  drive_.slots.erase(1);
  const auto findings = verify().findings;
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].kind, Finding::Kind::kMissingSegment);
  EXPECT_EQ(findings[0].slot, SlotIndex(2));
}

// The segment before it was never closed, and is whole as far as it goes.
TEST_F(VerifyTest, ASegmentThatIsMissingIsNotLookedForInTheOneBeforeIt) {
  for (std::uint32_t i = 0; i < 3; ++i) {
    forge_.begin(i);
    for (int n = 0; n < 3; ++n) forge_.block();
  }
  slot(1)[60] ^= std::byte{1};
  EXPECT_EQ(kinds(), (Kinds{Finding::Kind::kCorruptHeader, Finding::Kind::kMissingSegment}));
  drive_.slots.erase(1);
  EXPECT_EQ(kinds(), Kinds{Finding::Kind::kMissingSegment});
}

TEST_F(VerifyTest, RetiredSegmentsAreNotMissed) {
  for (std::uint32_t i = 0; i < 3; ++i) segment(i, 3);
  forge_.begin(3, 3);
  forge_.block();
  drive_.slots.erase(1);  // used again before the older one
  EXPECT_EQ(kinds(), Kinds{});
  drive_.slots.erase(0);
  EXPECT_EQ(kinds(), Kinds{});
}

// Writes to two segments at once failed: a third has again what was not durable.
TEST_F(VerifyTest, AVoidSegmentAndVoidBlocksAreNoDamage) {
  forge_.begin(0);
  for (int i = 0; i < 3; ++i) forge_.block();
  const ForgePlace good = forge_.place;
  forge_.message("not durable");
  forge_.seal(good.sequence);
  forge_.begin(1);
  forge_.message("not durable");
  forge_.seal(good.sequence);
  LogForge again(volume_, good, 3, "all", Offset(3));
  again.begin(2);
  for (int i = 0; i < 4; ++i) again.block();
  const VerifyReport report = verify();
  for (const Finding& finding : report.findings) ADD_FAILURE() << finding.what;
  EXPECT_EQ(report.total.blocks, 7U);
  EXPECT_EQ(report.total.messages, 7U);
}

TEST_F(VerifyTest, ARecycledSlotsLeftoversAreUnusedAndNotDamage) {
  segment(0, 20);
  segment(1, 20);
  segment(2, 1);
  forge_.begin(0, 2);
  forge_.block();
  const VerifyReport report = verify();
  EXPECT_TRUE(report.findings.empty());
  EXPECT_EQ(report.total.unused_bytes, kMiB - 4 * kPageBytes);
}

TEST_F(VerifyTest, BytesBehindTheLastBlockOfASlotNeverUsedBeforeAreFound) {
  forge_.begin(0);
  forge_.block();
  slot(0)[500'000] = std::byte{1};
  const auto findings = verify().findings;
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].offset, 500'000 / kPageBytes * kPageBytes);
  EXPECT_EQ(findings[0].bytes, kPageBytes);
}

TEST_F(VerifyTest, ASlotWithoutAHeaderMustBeBlank) {
  drive_.slots[0].resize(kMiB);
  EXPECT_EQ(kinds(), Kinds{});
  EXPECT_EQ(verify().free_slots, 1U);
  slot(0)[kMiB - 1] = std::byte{1};
  EXPECT_EQ(kinds(), Kinds{Finding::Kind::kUnusedNotBlank});
}

TEST_F(VerifyTest, AFreeSlotMayHoldWhatItHeldButNothingElse) {
  segment(0, 5);
  SegmentHeader free = forge_.header();
  free.state = SlotState::kFree;
  free.generation = 0;
  forge_.begin(1, 2);
  forge_.block();
  put_header(0, free);
  EXPECT_EQ(kinds(), Kinds{});
  slot(0)[kMiB - 100] = std::byte{1};
  EXPECT_EQ(kinds(), Kinds{Finding::Kind::kUnusedNotBlank});
}

// The drive lost the write of the header: what the slot holds was never retired.
TEST_F(VerifyTest, DurableBlocksInASlotThatSaysItIsFreeAreFound) {
  segment(0, 5);
  SegmentHeader free = forge_.header();
  free.state = SlotState::kFree;
  free.generation = 0;
  put_header(0, free);
  EXPECT_EQ(kinds(), Kinds{Finding::Kind::kCorruptHeader});
}

TEST_F(VerifyTest, AnUnreadableHeaderMakesItsSlotUnreadable) {
  segment(0, 5);
  forge_.begin(1);
  forge_.block();
  slot(0)[20] ^= std::byte{1};
  const VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].kind, Finding::Kind::kCorruptHeader);
  EXPECT_EQ(report.total.unreadable_bytes, kMiB - kPageBytes);
}

TEST_F(VerifyTest, ASegmentThatDoesNotFollowTheOneBeforeItIsFound) {
  segment(0, 5);
  segment(1, 5);
  SegmentHeader header = forge_.header();
  header.previous_crc ^= 1U;
  put_header(1, header);
  const auto findings = verify().findings;
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].kind, Finding::Kind::kCorruptHeader);
  EXPECT_EQ(findings[0].slot, SlotIndex(1));
}

// A footer from an earlier use of the slot: the segment's own was lost.
TEST_F(VerifyTest, AFooterOfAnotherSegmentIsFoundByVerifyAndByRecovery) {
  segment(0, 5);
  segment(1, 5);
  forge_.begin(2);
  forge_.block();
  std::ranges::copy(slot(0).last(kPageBytes), slot(1).last(kPageBytes).begin());
  EXPECT_EQ(kinds(), Kinds{Finding::Kind::kCorruptFooter});
  const RecoveredVolume recovered = recover_volume(volume_).value();
  ASSERT_EQ(recovered.findings.size(), 1U);
  EXPECT_EQ(recovered.findings[0].kind, Finding::Kind::kCorruptFooter);
  EXPECT_EQ(recovered.findings[0].slot, SlotIndex(1));
}

TEST_F(VerifyTest, OffsetsThatDoNotGoOnAreFound) {
  segment(0, 5);
  LogForge forgetful(volume_);
  forgetful.place = forge_.place;
  forgetful.next_segment = forge_.next_segment;
  forgetful.begin(1);
  forgetful.block();
  EXPECT_EQ(kinds(), Kinds{Finding::Kind::kWrongOffsets});
}

TEST_F(VerifyTest, ADamagedCopyOfTheCatalogueIsFound) {
  EXPECT_EQ(kinds(), Kinds{});
  drive_.head[kCataloguePosition[0] + 40] ^= std::byte{1};
  drive_.head[kCataloguePosition[1] + 40] ^= std::byte{1};
  const auto findings = verify().findings;
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].kind, Finding::Kind::kWrongCatalogue);
  EXPECT_EQ(findings[0].slot, kVolumeHead);
}

TEST_F(VerifyTest, ABlankedCopyOfTheCatalogueIsFound) {
  const auto expect_found = [&](std::uint64_t position) {
    const std::vector<std::byte> whole = drive_.head;
    std::ranges::fill(std::span(drive_.head).subspan(position, kPageBytes), std::byte{0});
    const auto findings = verify().findings;
    drive_.head = whole;
    ASSERT_EQ(findings.size(), 1U) << position;
    EXPECT_EQ(findings[0].kind, Finding::Kind::kWrongCatalogue);
    EXPECT_EQ(findings[0].offset, position);
  };
  expect_found(kCataloguePosition[0]);
  ASSERT_TRUE(volume_.add_streams(std::vector<std::string>{"third"}).has_value());
  expect_found(kCataloguePosition[0]);
  expect_found(kCataloguePosition[1]);
}

TEST_F(VerifyTest, ADamagedSuperblockIsFound) {
  drive_.head[20] ^= std::byte{1};
  EXPECT_EQ(kinds(), Kinds{Finding::Kind::kCorruptSuperblock});
}

TEST_F(VerifyTest, WhatADeviceHasLostOfItsLengthIsFound) {
  MemoryDrive drive;
  drive.fixed_bytes = 64 * kMiB;
  Volume volume = make_memory_volume(drive, {"all"});
  drive.fixed_bytes = 48 * kMiB;
  const auto findings = verify_volume(volume.device()).value().findings;
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].kind, Finding::Kind::kUnreadable);
  EXPECT_EQ(findings[0].offset, 48 * kMiB);
  EXPECT_EQ(findings[0].bytes, 16 * kMiB);
}

TEST_F(VerifyTest, AStreamWithoutANameIsFound) {
  forge_.begin(0);
  forge_.block(10, {"nobody knows it"});
  EXPECT_EQ(kinds(), Kinds{Finding::Kind::kWrongCatalogue});
}

// What the product writes, through crashes and recycling, is what the check accepts.
TEST(VerifyVolume, WhatALogWritesHasNoFindings) {
  TestFolder folder;
  LogFixtureOptions options;
  options.retention.max_bytes = 4 * kMiB;
  std::uint64_t messages = 0;
  for (int round = 0; round < 6; ++round) {
    LogFixture fixture(folder.path(), options);
    const StreamId both[] = {stream_id("all"), stream_id("other")};
    const std::string name = "other";
    ASSERT_TRUE(fixture.volume().add_streams({&name, 1}).has_value());
    const CaptureSetId set = fixture.log().captures().add_set(both).value();
    for (int i = 0; i < 1000 * (round + 1); ++i) {
      const std::string payload(static_cast<std::size_t>(i % 900), 'x');
      MessageView message;
      message.subject = "a.b";
      message.received = UnixNanos(++messages);
      message.payload = std::as_bytes(std::span(payload));
      while (fixture.log().append(set, 0, message) != Appended::kOk) fixture.step();
    }
    fixture.drain(round % 2 == 0);
    Volume volume =
        Volume::open(open_volume_device(folder.path(), DeviceAccess::kReadOnly).value()).value();
    const VerifyReport report = verify_volume(volume.device()).value();
    for (const Finding& finding : report.findings) {
      ADD_FAILURE() << "round " << round << ": " << finding.what;
    }
    EXPECT_GT(report.total.messages, 0U);
  }
}

}  // namespace
}  // namespace penstock
