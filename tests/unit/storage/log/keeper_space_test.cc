#include <gtest/gtest.h>

#include "storage/log/keeper.h"
#include "tests/lib/log_fixture.h"

namespace penstock {
namespace {

// A keeper that may never find enough free space: as if others had filled the file system.
constexpr Retention kNeverEnough{.min_free_bytes = 1ULL << 60U};

TEST(KeeperSpace, GivesSlotsBackWhileOthersNeedRoom) {
  TestFolder folder;
  {
    LogFixture log(folder.path());
    for (int i = 0; i < 6000; ++i) log.append("a.b", std::string(1000, 'x'));
    log.drain();
    ASSERT_GT(log.keeper().segments(LogNumber(0)).size(), 4U);
  }
  LogFixture log(folder.path(), {.retention = kNeverEnough});
  for (int i = 0; i < 100; ++i) log.keeper().step();
  // The newest closed segment and the open one stay, whatever others need.
  EXPECT_EQ(log.keeper().segments(LogNumber(0)).size(), 2U);
  EXPECT_EQ(log.keeper().status().free_slots, 0U);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.path().filename().string().starts_with("segment-")) ++files;
  }
  EXPECT_EQ(files, log.keeper().status().slots);
}

}  // namespace
}  // namespace penstock
