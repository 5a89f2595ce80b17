#include "storage/recover/torn_tail.h"

#include "tests/unit/storage/recover/damage_fixture.h"

namespace penstock {
namespace {

class TornTailTest : public DamageTest {
 protected:
  // Two blocks, a torn one, and two that a crash left behind it.
  TornTailTest() {
    forge_.begin(0);
    blocks(2);
    good_ = forge_.place;
    for (int i = 0; i < 3; ++i) {
      forge_.message("never acknowledged");
      forge_.seal(good_.sequence);
      places_.push_back(static_cast<std::uint32_t>(forge_.last_offset / kPageBytes));
    }
    slot(0)[places_.front() * kPageBytes + 200] ^= std::byte{1};
  }
  ForgePlace good_;
  std::vector<std::uint32_t> places_;  // of the last three
};

TEST_F(TornTailTest, BlocksThatACrashLeftAreNoneBeforeTheLogGoesOn) {
  RecoveredVolume recovered = recover();
  const LogStart& start = recovered.logs.at(kLog).start;
  ASSERT_TRUE(start.open.has_value());
  EXPECT_EQ(start.open->position, places_[0]);
  EXPECT_EQ(start.open->left_behind, (std::vector<std::uint32_t>{places_[1], places_[2]}));
  clear_torn_tails(volume_, recovered);
  ASSERT_TRUE(start.open.has_value());
  EXPECT_TRUE(start.open->left_behind.empty());
  const RecoveredVolume again = recover();
  EXPECT_TRUE(again.logs.at(kLog).start.open->left_behind.empty());
  EXPECT_EQ(again.logs.at(kLog).start.next_sequence, good_.sequence);
}

TEST_F(TornTailTest, AWholeBlockThatDoesNotFollowTheLastOneIsOneOfThem) {
  forge_.begin(1);
  blocks(2);
  const BlockSequence end = forge_.place.sequence;
  forge_.place.crc ^= 1U;
  forge_.message("never acknowledged");
  forge_.seal(end);
  const auto place = static_cast<std::uint32_t>(forge_.last_offset / kPageBytes);
  const auto open = recover().logs.at(kLog).start.open;
  ASSERT_TRUE(open.has_value());
  EXPECT_EQ(open->position, place);
  EXPECT_EQ(open->left_behind, std::vector<std::uint32_t>{place});
}

TEST_F(TornTailTest, ALogWhoseTailCannotBeClearedGoesOnInAnotherSegment) {
  RecoveredVolume recovered = recover();
  drive_.bad_slots.insert(0);
  clear_torn_tails(volume_, recovered);
  EXPECT_FALSE(recovered.logs.at(kLog).start.open.has_value());
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, good_.sequence);
}

}  // namespace
}  // namespace penstock
