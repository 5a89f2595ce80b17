// Counts of values by size, with the same relative error everywhere: the layout of HdrHistogram
// (Tene), one row of linear buckets for each power of two.
//
//   values below 2^(kBits+1) have a bucket each; above, 2^kBits buckets share each doubling
//
// so that what a bucket holds differs by less than 1/2^kBits of it: 0.8 %.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

namespace penstock {

// One thread. sum of all buckets = count(). Nothing is allocated; text() apart.
class Histogram {
 public:
  static constexpr unsigned kBits = 7;
  static constexpr std::size_t kBuckets = (64 - kBits + 1) << kBits;

  void record(std::uint64_t value, std::uint64_t times = 1) {
    buckets_[bucket_of(value)] += times;
    count_ += times;
    if (value > max_) max_ = value;
  }
  void add(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }  // exact; 0 when nothing was recorded
  // The least value that at least that share (0 to 1) of all does not exceed, up to the buckets'
  // error: never below the true one. 0 when nothing was recorded.
  [[nodiscard]] std::uint64_t at(double share) const;

  // As HdrHistogram's programs read it: a line for each bucket that is not empty, with its value
  // divided by `unit`, the share of values up to it, their number, and 1/(1 - share).
  [[nodiscard]] std::string text(double unit) const;

  [[nodiscard]] static constexpr std::size_t bucket_of(std::uint64_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > kBits + 1 ? width - (kBits + 1) : 0;
    return (std::size_t{shift} << kBits) + static_cast<std::size_t>(value >> shift);
  }
  // The largest value of a bucket.
  [[nodiscard]] static constexpr std::uint64_t last_of(std::size_t bucket) {
    constexpr std::size_t kLinear = std::size_t{2} << kBits;
    if (bucket < kLinear) return bucket;
    const std::size_t shift = (bucket >> kBits) - 1;
    const std::uint64_t first = std::uint64_t{bucket - (shift << kBits)} << shift;
    return first + ((std::uint64_t{1} << shift) - 1);
  }

 private:
  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

static_assert(Histogram::bucket_of(~std::uint64_t{0}) == Histogram::kBuckets - 1);
static_assert(Histogram::last_of(Histogram::kBuckets - 1) == ~std::uint64_t{0});

}  // namespace penstock
