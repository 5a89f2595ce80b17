#include "base/histogram.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/check.h"

namespace penstock {

void Histogram::add(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

std::uint64_t Histogram::at(double share) const {
  CHECK(share >= 0 && share <= 1);
  if (count_ == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  const std::uint64_t rank = std::clamp<std::uint64_t>(wanted, 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(last_of(i), max_);
  }
  return max_;
}

std::string Histogram::text(double unit) const {
  std::string text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (buckets_[i] == 0) continue;
    seen += buckets_[i];
    const double share = static_cast<double>(seen) / static_cast<double>(count_);
    const auto value = static_cast<double>(std::min(last_of(i), max_));
    text += fmt::format("{:12.3f} {:14.12f} {:10} ", value / unit, share, seen);
    text += seen == count_ ? "inf\n" : fmt::format("{:14.2f}\n", 1 / (1 - share));
  }
  text += fmt::format("#[Max     = {:12.3f}, Total count    = {:12}]\n",
                      static_cast<double>(max_) / unit, count_);
  return text;
}

}  // namespace penstock
