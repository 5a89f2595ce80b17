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
  const auto placed = place_shards({-1}, -1, two_cores_drive_on_one());
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ(placed->cores, std::vector<unsigned>{0});
  EXPECT_TRUE(placed->warnings.empty());
}

TEST(PlacementTest, AWantedCoreThatTakesADrivesInterruptsIsReported) {
  const auto placed = place_shards({1}, -1, two_cores_drive_on_one());
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
  const auto placed = place_shards({-1, -1, -1}, -1, host);
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ(placed->cores, (std::vector<unsigned>{3, 2, 1}));
}

TEST(PlacementTest, WithoutAnotherCoreShardsShareOneAndItIsSaid) {
  const auto placed = place_shards({-1, -1}, -1, two_cores_drive_on_one());
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ(placed->cores, (std::vector<unsigned>{0, 0}));
  EXPECT_EQ(placed->warnings.size(), 1U);
}

TEST(PlacementTest, ACoreThatTheProcessMayNotUseIsRefusedWithTheOnesThatAre) {
  const auto placed = place_shards({7}, -1, two_cores_drive_on_one());
  ASSERT_FALSE(placed.has_value());
  EXPECT_NE(placed.error().what.find("0, 1"), std::string::npos);
}

TEST(PlacementTest, WhereEveryCoreTakesADrivesInterruptsItIsSaid) {
  const HostCores host{
      .usable = {0, 1},
        .isolated = {},
        .drive = {0, 1}
  };
  const auto placed = place_shards({-1}, -1, host);
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ(placed->cores, std::vector<unsigned>{1});
  ASSERT_EQ(placed->warnings.size(), 1U);
  EXPECT_NE(placed->warnings[0].find("Every usable core"), std::string::npos);
}

TEST(PlacementTest, SharingACoreOnPurposeIsSaidToo) {
  const HostCores host{
      .usable = {0, 1, 2},
        .isolated = {},
        .drive = {}
  };
  EXPECT_EQ(place_shards({1, 1}, -1, host)->warnings.size(), 1U);
  const auto beside_control = place_shards({2}, 2, host);
  ASSERT_EQ(beside_control->warnings.size(), 1U);
  EXPECT_NE(beside_control->warnings[0].find("dpdk.main_core"), std::string::npos);
  EXPECT_EQ(place_shards({-1}, 2, host)->cores, std::vector<unsigned>{1}) << "another is free";
}

}  // namespace
}  // namespace penstock
