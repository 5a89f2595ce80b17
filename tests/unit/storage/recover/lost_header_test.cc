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
