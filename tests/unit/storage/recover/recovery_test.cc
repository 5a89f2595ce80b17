#include "tests/unit/storage/recover/damage_fixture.h"

namespace penstock {
namespace {

using RecoveryTest = DamageTest;

TEST_F(RecoveryTest, ABlankVolumeHasNothing) {
  const RecoveredVolume recovered = recover();
  EXPECT_TRUE(recovered.logs.empty());
  EXPECT_TRUE(recovered.findings.empty());
}

TEST_F(RecoveryTest, AnOpenSegmentIsGoneOnWithBehindItsLastBlock) {
  forge_.begin(0);
  blocks(7);
  const RecoveredLog log = recover().logs.at(kLog);
  EXPECT_EQ(log.start.next_sequence, BlockSequence(7));
  EXPECT_EQ(log.start.last_crc, forge_.place.crc);
  EXPECT_EQ(next_offset(log), 7U);
  ASSERT_TRUE(log.start.open.has_value());
  EXPECT_EQ(log.start.open->position, forge_.position());
  EXPECT_EQ(log.start.open->index.blocks.size(), 7U);
  EXPECT_EQ(log.start.open->payload_bytes, 7U * 5000);
}

TEST_F(RecoveryTest, ATornTailIsCutOffAndSaid) {
  forge_.begin(0);
  blocks(7);
  slot(0)[forge_.last_offset + kPageBytes] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kTornTail});
  EXPECT_EQ(recovered.findings[0].offset, forge_.last_offset);
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.start.next_sequence, BlockSequence(6));
  EXPECT_EQ(next_offset(log), 6U);
  EXPECT_EQ(log.start.open->position, forge_.last_offset / kPageBytes);
}

TEST_F(RecoveryTest, WhatLiesBehindATornBlockIsNotDataEither) {
  forge_.begin(0);
  blocks(4);
  forge_.message("torn");
  forge_.seal(BlockSequence(4));
  const std::size_t torn = forge_.last_offset;
  forge_.message("whole, in flight at the same time");
  forge_.seal(BlockSequence(4));
  slot(0)[torn + 200] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kTornTail});
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, BlockSequence(4));
}

TEST_F(RecoveryTest, ABadBlockThatALaterOneProvesDurableIsCorruptionAndTheLogGoesOn) {
  forge_.begin(0);
  blocks(7);
  const std::size_t third = (1 + 2 * 2) * kPageBytes;
  slot(0)[third + 50] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptBlock});
  EXPECT_EQ(recovered.findings[0].slot, SlotIndex(0));
  EXPECT_EQ(recovered.findings[0].offset, third);
  EXPECT_EQ(recovered.findings[0].bytes, 2 * kPageBytes);
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.start.next_sequence, BlockSequence(7));
  EXPECT_EQ(next_offset(log), 7U);
  EXPECT_FALSE(log.start.open.has_value()) << "its index could not say where its blocks are";
  EXPECT_EQ(log.end.position, forge_.position());
}

TEST_F(RecoveryTest, AnOrderlyEndProvesTheLastMessage) {
  forge_.begin(0);
  blocks(7);
  const std::size_t last = forge_.last_offset;
  forge_.seal();  // the empty marker block
  slot(0)[last + 200] ^= std::byte{1};
  EXPECT_EQ(kinds(recover()), Kinds{Finding::Kind::kCorruptBlock});
}

TEST_F(RecoveryTest, SeveralUnclosedSegmentsAreReadInOrder) {
  for (std::uint32_t i = 0; i < 3; ++i) {
    forge_.begin(i);
    blocks(5);
  }
  const RecoveredVolume recovered = recover();
  EXPECT_TRUE(recovered.findings.empty());
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.segments.size(), 3U);
  EXPECT_EQ(log.start.next_sequence, BlockSequence(15));
  EXPECT_EQ(log.start.open->index.blocks.size(), 5U);
  EXPECT_EQ(log.start.next_segment, SegmentSequence(4));
}

TEST_F(RecoveryTest, OnlyWhatHasNoFooterIsRead) {
  for (std::uint32_t i = 0; i < 5; ++i) {
    forge_.begin(i);
    blocks(5);
    forge_.close();
  }
  forge_.begin(5);
  blocks(2);
  const RecoveredVolume recovered = recover();
  EXPECT_TRUE(recovered.findings.empty());
  EXPECT_LT(recovered.bytes_read, 2 * kMiB);
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, forge_.place.sequence);
  EXPECT_EQ(next_offset(recovered.logs.at(kLog)), forge_.place.sequence.value);
}

TEST_F(RecoveryTest, AMissingSegmentIsSaid) {
  for (std::uint32_t i = 0; i < 4; ++i) {
    forge_.begin(i);
    blocks(2);
    forge_.close();
  }
  drive_.slots.erase(2);
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kMissingSegment});
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, forge_.place.sequence);
}

// The segment was closed by a failed write and never got a footer: rot in its last block is no torn
// tail, even if the next segment's first block was sealed before that block was durable.
TEST_F(RecoveryTest, WhatAnyBlockOfALaterSegmentProvesIsNotCutOff) {
  forge_.begin(0);
  blocks(5);
  const std::size_t last = forge_.last_offset;
  forge_.begin(1);
  forge_.message("sealed early");
  forge_.seal(BlockSequence(2));
  blocks(3);
  slot(0)[last + 200] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptBlock});
  EXPECT_EQ(recovered.findings[0].slot, SlotIndex(0));
  EXPECT_EQ(recovered.findings[0].offset, last);
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.segments.size(), 2U);
  EXPECT_EQ(log.start.next_sequence, BlockSequence(9));
  EXPECT_EQ(log.messages, 8U);
}

TEST_F(RecoveryTest, ADamagedIndexIsReplacedByReadingTheBlocks) {
  forge_.begin(0);
  blocks(5);
  forge_.close();
  slot(0)[forge_.position() * kPageBytes + 5] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptFooter});
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, forge_.place.sequence);
  EXPECT_EQ(next_offset(recovered.logs.at(kLog)), forge_.place.sequence.value);
}

TEST_F(RecoveryTest, ASlotWithAnUnreadableHeaderIsLeftAlone) {
  forge_.begin(0);
  blocks(5);
  forge_.close();
  forge_.begin(1);
  blocks(1);
  slot(0)[60] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptHeader});
  ASSERT_EQ(recovered.quarantined_slots.size(), 1U);
  EXPECT_TRUE(recovered.free_slots.empty());
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, forge_.place.sequence);
}

TEST_F(RecoveryTest, BlocksOfARecycledSlotsEarlierUseAreNotData) {
  forge_.begin(0);
  blocks(20);
  forge_.close();
  forge_.begin(1);
  blocks(5);
  forge_.close();
  forge_.begin(0, 2);
  blocks(3);
  const RecoveredVolume recovered = recover();
  EXPECT_TRUE(recovered.findings.empty());
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.segments.size(), 2U);
  EXPECT_EQ(log.start.next_sequence, forge_.place.sequence);
  EXPECT_EQ(log.start.open->position, forge_.position());
}

// A write failed in slot 0 after its block had landed; slot 1 was to have the block again when the
// node died. Were slot 1 free again, the block of slot 0 would be data after another crash.
TEST_F(RecoveryTest, ASegmentTakenAndNotUsedYetIsFilledAndKeepsVoidBlocksVoid) {
  forge_.begin(0);
  blocks(3);
  const ForgePlace good = forge_.place;
  forge_.message("landed, void");
  forge_.seal();
  LogForge again(volume_, good, 2, "all", Offset(3));
  again.begin(1);
  const RecoveredVolume recovered = recover();
  EXPECT_TRUE(recovered.findings.empty());
  EXPECT_TRUE(recovered.free_slots.empty());
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.segments.size(), 2U);
  EXPECT_EQ(log.start.next_sequence, BlockSequence(3));
  EXPECT_EQ(log.start.last_crc, good.crc);
  ASSERT_TRUE(log.start.open.has_value());
  EXPECT_EQ(log.start.open->header.slot, 1U);
  EXPECT_EQ(log.start.open->position, 1U);
}

TEST_F(RecoveryTest, ASegmentTakenForBlocksBehindATornOneIsFree) {
  forge_.begin(0);
  blocks(3);
  const BlockSequence good = forge_.place.sequence;
  forge_.message("torn");
  forge_.seal();
  slot(0)[forge_.last_offset + 100] ^= std::byte{1};
  forge_.begin(1);
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(recovered.void_slots, std::vector<SlotIndex>{SlotIndex(1)});
  EXPECT_EQ(recovered.logs.at(kLog).segments.size(), 1U);
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, good);
}

TEST_F(RecoveryTest, BlocksThatWereWrittenAgainElsewhereCountOnce) {
  forge_.begin(0);
  blocks(3);
  const ForgePlace good = forge_.place;
  forge_.message("not durable");
  forge_.seal(good.sequence);
  forge_.begin(1);
  forge_.message("not durable");
  forge_.seal(good.sequence);
  LogForge again(volume_, good, 3, "all", Offset(3));
  again.begin(2);
  for (int i = 0; i < 4; ++i) again.block();
  const RecoveredVolume recovered = recover();
  EXPECT_TRUE(recovered.findings.empty());
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.start.next_sequence, BlockSequence(7));
  EXPECT_EQ(next_offset(log), 7U);
  EXPECT_EQ(log.messages, 7U);
  EXPECT_EQ(recovered.void_slots, std::vector<SlotIndex>{SlotIndex(1)});
}

TEST_F(RecoveryTest, LogsOfOneVolumeAreKeptApart) {
  LogForge other(volume_, LogNumber(5));
  forge_.begin(0);
  other.begin(1);
  blocks(3);
  other.block();
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, BlockSequence(3));
  EXPECT_EQ(recovered.logs.at(LogNumber(5)).start.next_sequence, BlockSequence(1));
}

// Both segments were begun and nothing of them was durable: a power cut took the first one's
// header.
TEST_F(RecoveryTest, BlocksInFrontOfASegmentThatWereNeverDurableAreNotMissing) {
  forge_.begin(0);
  blocks(5);
  forge_.close();
  const BlockSequence end = forge_.place.sequence;
  forge_.begin(1);
  forge_.message("never durable");
  forge_.seal(end);
  forge_.begin(2);
  std::ranges::fill(slot(1), std::byte{0});
  const RecoveredVolume recovered = recover();
  for (const Finding& finding : recovered.findings) ADD_FAILURE() << finding.what;
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, end);
  EXPECT_EQ(recovered.free_slots, std::vector<SlotIndex>{SlotIndex(1)});
  EXPECT_EQ(recovered.void_slots, std::vector<SlotIndex>{SlotIndex(2)});
}

}  // namespace
}  // namespace penstock
