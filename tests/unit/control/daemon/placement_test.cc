#include "control/daemon/placement.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

HostCores two_cores_drive_on_one() {
  return {
      .usable = {0, 1},
        .isolated = {},
        .drive = {1}
  };
}

TEST(PlacementTest, AChosenCoreNeverTakesADrivesInterrupts) {
  const auto placed = place_shards({-1}, two_cores_drive_on_one());
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ(placed->cores, std::vector<unsigned>{0});
  EXPECT_TRUE(placed->warnings.empty());
}

TEST(PlacementTest, AWantedCoreThatTakesADrivesInterruptsIsReported) {
  const auto placed = place_shards({1}, two_cores_drive_on_one());
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ(placed->cores, std::vector<unsigned>{1});
  ASSERT_EQ(placed->warnings.size(), 1U);
  EXPECT_NE(placed->warnings[0].find("core 1"), std::string::npos);
}

TEST(PlacementTest, IsolatedCoresAreChosenFirst) {
  const HostCores host{
      .usable = {0, 1, 2, 3},
        .isolated = {2, 3},
        .drive = {}
  };
  const auto placed = place_shards({-1, -1, -1}, host);
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ(placed->cores, (std::vector<unsigned>{3, 2, 1}));
}

TEST(PlacementTest, WithoutAnotherCoreShardsShareOneAndItIsSaid) {
  const auto placed = place_shards({-1, -1}, two_cores_drive_on_one());
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ(placed->cores, (std::vector<unsigned>{0, 0}));
  EXPECT_EQ(placed->warnings.size(), 1U);
}

TEST(PlacementTest, ACoreThatTheProcessMayNotUseIsRefusedWithTheOnesThatAre) {
  const auto placed = place_shards({7}, two_cores_drive_on_one());
  ASSERT_FALSE(placed.has_value());
  EXPECT_NE(placed.error().what.find("0, 1"), std::string::npos);
}

TEST(PlacementTest, APathWithoutADriveHasNoInterruptCores) {
  EXPECT_TRUE(drive_interrupt_cores({"/dev/shm"}).empty());
  EXPECT_TRUE(drive_interrupt_cores({"/does/not/exist"}).empty());
}

}  // namespace
}  // namespace penstock
