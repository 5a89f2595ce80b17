#include "base/clock.h"

#include <ctime>

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(SystemClock, IsTheTimeOfTheHost) {
  SystemClock clock;
  const auto before = std::int64_t{std::time(nullptr)} * kNanosPerSecond;
  EXPECT_NEAR(static_cast<double>(clock.unix_now().value), static_cast<double>(before), 2e9);
}

TEST(SystemClock, MonotonicTimeNeverGoesBack) {
  SystemClock clock;
  MonotonicNanos last = clock.monotonic_now();
  for (int i = 0; i < 10'000; ++i) {
    const MonotonicNanos now = clock.monotonic_now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(SimClock, MovesOnlyWhenMovedAndStepsTheWallClockAlone) {
  SimClock clock;
  const UnixNanos wall = clock.unix_now();
  const MonotonicNanos monotonic = clock.monotonic_now();
  EXPECT_EQ(clock.unix_now(), wall);
  clock.advance(5);
  EXPECT_EQ(clock.unix_now() - wall, 5);
  EXPECT_EQ(clock.monotonic_now() - monotonic, 5);
  clock.step_unix(-100);
  EXPECT_EQ(clock.unix_now() - wall, -95);
  EXPECT_EQ(clock.monotonic_now() - monotonic, 5);
}

}  // namespace
}  // namespace penstock
