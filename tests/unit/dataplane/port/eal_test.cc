#include "dataplane/port/eal.h"

#include <sched.h>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

std::string lcores(const EalOptions& options) {
  const auto arguments = eal_arguments(options, false);
  return *(std::ranges::find(arguments, "--lcores") + 1);
}

TEST(Eal, TheControlThreadRunsWhereNoShardPolls) {
  std::vector<unsigned> usable = usable_cores();
  ASSERT_FALSE(usable.empty());
  const unsigned last = usable.back();
  if (usable.size() > 1) usable.pop_back();
  EXPECT_EQ(lcores({.shard_cores = {last}}),
            fmt::format("0@({}),1@{}", fmt::join(usable, ","), last));
}

TEST(Eal, OnlyCoresThatTheProcessMayUseAreNamed) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  const unsigned last = usable_cores().back();
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(last, &only);
  ASSERT_EQ(sched_setaffinity(0, sizeof only, &only), 0);
  EXPECT_EQ(lcores({}), fmt::format("0@({})", last));
  // With no core left the shard's is shared.
  EXPECT_EQ(lcores({.shard_cores = {last}}), fmt::format("0@({0}),1@{0}", last));
  sched_setaffinity(0, sizeof before, &before);
}

TEST(Eal, AConfiguredCoreIsTaken) {
  EXPECT_EQ(lcores({.main_core = 3, .shard_cores = {1}}), "0@(3),1@1");
}

}  // namespace
}  // namespace penstock
