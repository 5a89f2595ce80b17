#include "base/histogram.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"

namespace penstock {
namespace {

constexpr double kErrorMax = 1.0 / (1U << Histogram::kBits);

// Of every size alike.
std::uint64_t any_value(Rng& rng) { return rng.next() >> rng.below(64); }

// The smallest of the sorted values that at least that share does not exceed.
std::uint64_t exact(const std::vector<std::uint64_t>& sorted, double share) {
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (static_cast<double>(i + 1) >= share * static_cast<double>(sorted.size())) return sorted[i];
  }
  return sorted.back();
}

TEST(Histogram, BucketsFollowEachOtherWithoutGapOrOverlap) {
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    const std::uint64_t last = Histogram::last_of(i);
    ASSERT_EQ(Histogram::bucket_of(last), i);
    if (i + 1 < Histogram::kBuckets) {
      ASSERT_EQ(Histogram::bucket_of(last + 1), i + 1);
    }
  }
  EXPECT_EQ(Histogram::bucket_of(0), 0U);
}

TEST(Histogram, ABucketsLargestValueIsWithinTheErrorOfEachThatItHolds) {
  Rng rng(1);
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t value = any_value(rng);
    const std::uint64_t last = Histogram::last_of(Histogram::bucket_of(value));
    ASSERT_GE(last, value);
    ASSERT_LE(static_cast<double>(last - value), kErrorMax * static_cast<double>(value));
  }
}

TEST(Histogram, EveryShareIsWithinTheErrorOfWhatSortingSays) {
  Rng rng(2);
  std::size_t cases = 0;
  std::size_t failed = 0;
  for (int round = 0; round < 100; ++round) {
    Histogram histogram;
    std::vector<std::uint64_t> values(1 + rng.below(2000));
    for (std::uint64_t& value : values) {
      value = any_value(rng);
      histogram.record(value);
    }
    std::ranges::sort(values);
    for (const double share : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const std::uint64_t right = exact(values, share);
      const std::uint64_t told = histogram.at(share);
      const bool good = told >= right &&
                        static_cast<double>(told - right) <= kErrorMax * static_cast<double>(right);
      ++cases;
      if (!good) ++failed;
    }
    EXPECT_EQ(histogram.count(), values.size());
    EXPECT_EQ(histogram.max(), values.back());
    EXPECT_EQ(histogram.at(1), values.back());
  }
  std::printf("FIGURE name=histogram_shares cases=%zu failed=%zu\n", cases, failed);
  EXPECT_EQ(failed, 0U);
}

TEST(Histogram, ManyAtOnceAndTwoAddedAreAsEachByItself) {
  Rng rng(3);
  Histogram one;
  Histogram many;
  Histogram other;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = any_value(rng);
    const std::uint64_t times = 1 + rng.below(5);
    for (std::uint64_t t = 0; t < times; ++t) one.record(value);
    (i % 2 == 0 ? many : other).record(value, times);
  }
  many.add(other);
  EXPECT_EQ(many.text(1000), one.text(1000));
  EXPECT_EQ(many.count(), one.count());
}

TEST(Histogram, WithoutValuesAllIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.at(0.99), 0U);
  EXPECT_EQ(histogram.max(), 0U);
}

TEST(Histogram, ItsTextNamesEachBucketWithTheShareUpToIt) {
  Histogram histogram;
  histogram.record(1000, 3);
  histogram.record(2000, 1);
  const std::string text = histogram.text(1000);
  EXPECT_NE(text.find("0.750000000000          3           4.00\n"), std::string::npos) << text;
  EXPECT_NE(text.find("       2.000 1.000000000000          4 inf\n"), std::string::npos) << text;
  EXPECT_NE(text.find("Max     =        2.000, Total count    =            4"), std::string::npos);
}

}  // namespace
}  // namespace penstock
