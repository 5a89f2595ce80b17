#include "storage/recover/lost_header.h"

#include "tests/unit/storage/recover/damage_fixture.h"

namespace penstock {
namespace {

using LostHeaderTest = DamageTest;

// The drive lost the write of a header, which still says that the slot is free.
TEST_F(LostHeaderTest, DurableBlocksBehindALostHeaderAreNeitherForgottenNorOverwritten) {
  closed(0);
  for (const bool last : {true, false}) {
    forge_.begin(1);
    blocks(4);
    const BlockSequence end = forge_.place.sequence;
    if (!last) {
      forge_.close();
      forge_.begin(2);
      blocks(2);
    }
    say_free(1);
    const RecoveredVolume recovered = recover();
    EXPECT_EQ(kinds(recovered).front(), Finding::Kind::kCorruptHeader);
    EXPECT_EQ(recovered.quarantined_slots, std::vector<SlotIndex>{SlotIndex(1)});
    EXPECT_TRUE(recovered.free_slots.empty());
    const RecoveredLog& log = recovered.logs.at(kLog);
    EXPECT_EQ(log.start.next_sequence, forge_.place.sequence);
    EXPECT_EQ(next_offset(log), forge_.place.sequence.value);
    EXPECT_GE(log.start.next_sequence, end);
  }
}

// The segment in front of it does not say where it ends: it was given up when a write failed.
TEST_F(LostHeaderTest, ALostHeaderBehindASegmentThatWasNotClosedIsFound) {
  forge_.begin(0);
  blocks(4);
  forge_.begin(1);
  blocks(4);
  forge_.begin(2);
  blocks(4);
  forge_.close();
  forge_.begin(3);
  forge_.block();
  say_free(1);
  const RecoveredVolume recovered = recover();
  ASSERT_FALSE(recovered.findings.empty());
  EXPECT_EQ(kinds(recovered).front(), Finding::Kind::kCorruptHeader);
  EXPECT_EQ(recovered.quarantined_slots, std::vector<SlotIndex>{SlotIndex(1)});
  EXPECT_TRUE(recovered.free_slots.empty());
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, forge_.place.sequence);
}

TEST_F(LostHeaderTest, ASlotOfBlocksThatASegmentWhichWasNotClosedHoldsIsFree) {
  forge_.begin(0);
  blocks(4);
  const ForgePlace begin = forge_.place;
  forge_.begin(1);
  for (int i = 0; i < 2; ++i) {  // void: the next segment has them again
    forge_.message("void");
    forge_.seal(begin.sequence);
  }
  LogForge again(volume_, begin, 9, "all", Offset(begin.sequence.value));
  again.begin(2);
  again.block();
  again.block();
  again.begin(3);
  again.block();
  again.close();
  again.begin(4);
  again.block();
  say_free(1);
  const RecoveredVolume recovered = recover();
  for (const Finding& finding : recovered.findings) ADD_FAILURE() << finding.what;
  EXPECT_EQ(recovered.free_slots, std::vector<SlotIndex>{SlotIndex(1)});
}

// Blocks in the slot whose header is lost say what was durable in front of it.
TEST_F(LostHeaderTest, ADamagedBlockInFrontOfALostHeaderIsNoTornTail) {
  forge_.begin(0);
  forge_.block();
  forge_.block(5000, {"rare"});
  const std::size_t damaged = forge_.last_offset;
  forge_.block();
  forge_.begin(1);
  blocks(3);
  say_free(1);
  slot(0)[damaged + 200] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), (Kinds{Finding::Kind::kCorruptHeader, Finding::Kind::kCorruptBlock}));
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.messages, 2U);
  EXPECT_EQ(log.start.next_sequence, forge_.place.sequence);
  EXPECT_EQ(next_offset(log), 5U);
  EXPECT_GT(next_offset(log, "rare") + log.start.new_partitions.value, 1U);
}

// What a crash left in slot 0, one block torn and one whole, was never durable: the node went on in
// slot 1.
TEST_F(LostHeaderTest, WhatACrashLeftIsNotTakenForBlocksBehindALostHeader) {
  forge_.begin(0);
  blocks(2);
  const ForgePlace good = forge_.place;
  for (int i = 0; i < 2; ++i) {
    forge_.message("void");
    forge_.seal(good.sequence);
    if (i == 0) slot(0)[forge_.last_offset + 200] ^= std::byte{1};
  }
  LogForge again(volume_, good, 2, "all", Offset(2));
  again.begin(1);
  for (int i = 0; i < 4; ++i) again.block();
  const std::vector<std::byte> header(slot(1).begin(), slot(1).begin() + kPageBytes);
  say_free(1);
  RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptHeader});
  EXPECT_EQ(recovered.logs.at(kLog).messages, 2U);
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, again.place.sequence);

  std::ranges::copy(header, slot(1).begin());
  again.begin(2);
  for (int i = 0; i < 3; ++i) again.block();
  say_free(1);
  recovered = recover();
  EXPECT_EQ(kinds(recovered),
            (Kinds{Finding::Kind::kCorruptHeader, Finding::Kind::kMissingSegment}));
  EXPECT_EQ(recovered.logs.at(kLog).messages, 5U);
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, again.place.sequence);
}

// The other way round: a power cut took the header in slot 1, and the node went on in slot 0.
TEST_F(LostHeaderTest, ADamagedBlockTakesNothingBehindItAlthoughAVoidSlotHasOneOfItsNumber) {
  forge_.begin(0);
  blocks(2);
  LogForge cut(volume_, forge_.place, 2, "all", Offset(2));
  cut.begin(1);
  cut.block();
  say_free(1);
  blocks(1);
  const std::uint64_t damaged = forge_.last_offset;
  blocks(3);
  forge_.begin(2);
  blocks(2);
  slot(0)[damaged + 200] ^= std::byte{1};
  EXPECT_EQ(recover().logs.at(kLog).messages, forge_.place.sequence.value - 1);
}

class LostBlockToo : public DamageTest, public testing::WithParamInterface<int> {};

// With a block of its own damaged, the slot does not say all that it was given.
TEST_P(LostBlockToo, WhatDamagedBlocksBehindALostHeaderMayHaveHadIsNotGivenAgain) {
  closed(0);
  forge_.begin(1);
  for (int i = 0; i < 3; ++i) {
    const bool damaged = i == GetParam();
    forge_.block(5000, {damaged ? "rare" : "all"});
    if (damaged) slot(1)[forge_.last_offset + 200] ^= std::byte{1};
  }
  slot(1)[100] ^= std::byte{1};
  const RecoveredLog log = recover().logs.at(kLog);
  EXPECT_GE(log.start.next_sequence, forge_.place.sequence);
  EXPECT_GE(next_offset(log, "rare") + log.start.new_partitions.value, 1U);
  EXPECT_GE(next_offset(log), forge_.place.sequence.value - 1);
  // The log goes on behind it, and nothing more is left out.
  LogForge again(volume_, {log.start.next_sequence, log.start.last_crc},
                 log.start.next_segment.value, "all", Offset(1'000'000));
  again.begin(2);
  again.block();
  again.block();
  const RecoveredLog later = recover().logs.at(kLog);
  EXPECT_EQ(later.start.next_sequence, again.place.sequence);
  EXPECT_EQ(next_offset(later), 1'000'002U);
}
INSTANTIATE_TEST_SUITE_P(EachOfThree, LostBlockToo, testing::Values(0, 1, 2));

// The write of the header was lost, and the first block is damaged: those behind it tell.
TEST_F(LostHeaderTest, ASlotThatSaysItIsFreeIsLookedThroughWhereItsFirstBlockIsDamaged) {
  closed(0);
  forge_.begin(1);
  blocks(4);
  say_free(1);
  for (const std::size_t at : {0, 40, 60}) {  // its magic, its volume, its sequence
    SCOPED_TRACE(at);
    slot(1)[kPageBytes + at] ^= std::byte{0x80};
    if (at == 60) bad_page(1, 1);
    const RecoveredVolume recovered = recover();
    EXPECT_EQ(recovered.quarantined_slots, std::vector<SlotIndex>{SlotIndex(1)});
    EXPECT_TRUE(recovered.free_slots.empty());
    const RecoveredLog& log = recovered.logs.at(kLog);
    EXPECT_GE(log.start.next_sequence, forge_.place.sequence);
    EXPECT_GE(next_offset(log), forge_.place.sequence.value);
    slot(1)[kPageBytes + at] ^= std::byte{0x80};
  }
}

// With nothing whole left in a slot, nothing says which log it was of, or how much it held.
class NothingWhole : public DamageTest {
 protected:
  static constexpr std::uint64_t kSlotPages = kMiB / kPageBytes;

  void destroy(std::uint32_t number) { std::ranges::fill(slot(number), std::byte{0x5a}); }
  // The log goes on where it is told to, and nothing more is left out then.
  void expect_once(const RecoveredLog& log, std::uint32_t free_slot) {
    LogForge again(volume_, {log.start.next_sequence, log.start.last_crc},
                   log.start.next_segment.value, "all", Offset(1'000'000));
    again.begin(free_slot);
    again.block();
    again.block();
    const RecoveredLog later = recover().logs.at(kLog);
    EXPECT_EQ(later.start.next_sequence, again.place.sequence);
    EXPECT_EQ(next_offset(later), 1'000'002U);
    EXPECT_GE(log.start.next_sequence, forge_.place.sequence);
  }
};

TEST_F(NothingWhole, WhatTheNewestSlotMayHaveHeldIsNotGivenAgain) {
  closed(0, {"all", "rare"});
  forge_.begin(1);
  forge_.block();
  slot(1)[100] ^= std::byte{1};
  slot(1)[forge_.last_offset + 200] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptHeader});
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.start.next_sequence.value, forge_.place.sequence.value - 1 + kSlotPages);
  EXPECT_GE(next_offset(log), forge_.place.sequence.value);
  EXPECT_GT(next_offset(log, "rare"), 5U);
  EXPECT_GE(log.start.new_partitions, Offset(1));
  EXPECT_GT(log.start.next_segment, SegmentSequence(2)) << "2 is the segment that is not known";
  EXPECT_FALSE(log.start.open.has_value());
  expect_once(log, 2);
}

TEST_F(NothingWhole, SeveralSlotsMayHaveHeldAsMuchEach) {
  forge_.begin(0);
  blocks(3);
  const BlockSequence end = forge_.place.sequence;
  for (const std::uint32_t number : {1U, 2U, 3U}) {
    forge_.begin(number);
    blocks(2);
    destroy(number);
  }
  const RecoveredLog log = recover().logs.at(kLog);
  EXPECT_EQ(log.start.next_sequence, end + 3 * kSlotPages);
  expect_once(log, 4);
}

TEST_F(NothingWhole, NorWhatASlotHeldThatTheDriveDoesNotGive) {
  forge_.begin(0);
  blocks(3);
  forge_.begin(1);
  blocks(2);
  drive_.slots.at(1).clear();
  const RecoveredLog log = recover().logs.at(kLog);
  EXPECT_GE(next_offset(log), 5U);
  EXPECT_FALSE(log.start.open.has_value());
  expect_once(log, 2);
}

// Whole blocks of the slot's earlier use are no evidence of the later one.
TEST_F(NothingWhole, BlocksOfAnEarlierUseDoNotTellWhatALaterOneHeld) {
  forge_.begin(1);
  blocks(6);
  say_free(1);
  closed(0);
  forge_.begin(1, 2);
  forge_.block();
  slot(1)[100] ^= std::byte{1};
  slot(1)[forge_.last_offset + 200] ^= std::byte{1};
  const RecoveredLog log = recover().logs.at(kLog);
  EXPECT_GE(next_offset(log), forge_.place.sequence.value);
  expect_once(log, 2);
}

TEST_F(NothingWhole, ALogWithoutAnyOtherSegmentDoesNotBeginAgain) {
  forge_.begin(0);
  blocks(2);
  destroy(0);
  RecoveredVolume recovered = recover();
  EXPECT_TRUE(recovered.logs.empty());
  const RecoveredLog& log = find_or_begin(recovered, kLog);
  EXPECT_GE(log.start.next_sequence, forge_.place.sequence);
  EXPECT_GE(log.start.new_partitions, Offset(2));
  expect_once(log, 1);
}

TEST_F(NothingWhole, ASlotThatFillsAHoleInTheLogTakesNoNumbers) {
  for (std::uint32_t i = 0; i < 3; ++i) closed(i);
  forge_.begin(3);
  blocks(2);
  destroy(1);
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered),
            (Kinds{Finding::Kind::kCorruptHeader, Finding::Kind::kMissingSegment}));
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.start.next_sequence, forge_.place.sequence);
  EXPECT_EQ(next_offset(log), forge_.place.sequence.value);
  EXPECT_FALSE(log.lost_in_front);
  EXPECT_TRUE(log.start.open.has_value());
}

TEST_F(NothingWhole, ABlankSlotBehindADamagedHeaderTakesNone) {
  forge_.begin(0);
  blocks(3);
  drive_.slots[1].assign(kMiB, std::byte{0});
  slot(1)[100] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptHeader});
  const RecoveredLog& log = recovered.logs.at(kLog);
  EXPECT_EQ(log.start.next_sequence, forge_.place.sequence);
  EXPECT_TRUE(log.start.open.has_value());
  EXPECT_EQ(recovered.new_log.next_sequence, BlockSequence(0));
}

TEST_F(LostHeaderTest, BlocksOfRetiredAndOfVoidSegmentsMakeNoSlotDoubtful) {
  closed(0);
  const ForgePlace begin = forge_.place;
  forge_.begin(1);
  blocks(3);
  for (int i = 0; i < 2; ++i) {  // landed and were never durable
    forge_.message("void");
    forge_.seal(begin.sequence + 3);
  }
  LogForge again(volume_, begin, 9, "all", Offset(begin.sequence.value));
  again.begin(2);
  again.block();
  again.block();
  again.block();
  say_free(0);
  say_free(1);
  const RecoveredVolume recovered = recover();
  for (const Finding& finding : recovered.findings) ADD_FAILURE() << finding.what;
  EXPECT_EQ(recovered.free_slots, (std::vector{SlotIndex(0), SlotIndex(1)}));
}

}  // namespace
}  // namespace penstock
