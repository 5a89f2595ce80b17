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
