#include "base/rng.h"

#include <algorithm>
#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Rng, ASeedRepeatsItsRunForEver) {
  // Of the authors' code, seeded by splitmix64: a seed that once failed must go on doing so.
  Rng rng(42);
  EXPECT_EQ(rng.next(), 0x15780B2E0C2EC716U);
  EXPECT_EQ(rng.next(), 0x6104D9866D113A7EU);
  EXPECT_EQ(rng.next(), 0xAE17533239E499A1U);
  EXPECT_EQ(rng.next(), 0xECB8AD4703B360A1U);
}

TEST(Rng, SeedsNextToEachOtherHaveNothingInCommon) {
  Rng a(1);
  Rng b(2);
  for (int i = 0; i < 1000; ++i) EXPECT_NE(a.next(), b.next());
}

TEST(Rng, StaysBelowItsBoundAndReachesAllOfIt) {
  Rng rng(7);
  std::array<int, 10> counts{};
  for (int i = 0; i < 100'000; ++i) ++counts.at(rng.below(counts.size()));
  EXPECT_GT(std::ranges::min(counts), 9'500);
  EXPECT_LT(std::ranges::max(counts), 10'500);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(rng.below(1), 0U);
}

TEST(Rng, ChanceIsPerMillion) {
  Rng rng(7);
  int hits = 0;
  for (int i = 0; i < 100'000; ++i) hits += rng.chance(250'000) ? 1 : 0;
  EXPECT_NEAR(hits, 25'000, 500);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(rng.chance(0));
    EXPECT_TRUE(rng.chance(1'000'000));
  }
}

TEST(Rng, OfTheKernelDoesNotRepeat) {
  EXPECT_NE(Rng::from_kernel().next(), Rng::from_kernel().next());
}

TEST(FillFromKernel, FillsAllThatItIsGivenAndNothingElse) {
  // Longer than what getrandom(2) gives without a break.
  std::vector<std::byte> bytes(100'000);
  fill_from_kernel(std::span(bytes).subspan(100, bytes.size() - 200));
  const auto zeros = [&](std::size_t from, std::size_t count) {
    return std::ranges::count(std::span(bytes).subspan(from, count), std::byte{0});
  };
  EXPECT_EQ(zeros(0, 100), 100);
  EXPECT_EQ(zeros(bytes.size() - 100, 100), 100);
  for (std::size_t at = 100; at + 200 <= bytes.size(); at += 100) EXPECT_LT(zeros(at, 100), 20);
  fill_from_kernel({});
}

}  // namespace
}  // namespace penstock
