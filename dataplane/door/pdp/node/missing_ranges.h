// The gaps in a fire-and-forget session that may still close: a few ranges of sequences, newest
// last.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace penstock::pdp {

class MissingRanges {
 public:
  static constexpr std::size_t kMax = 8;

  // A gap behind all others. When there are too many, the oldest is given up: it stays lost.
  void add(std::uint64_t first, std::uint64_t end) {
    // One with the gap in front of it: a frame may reach from one into the other.
    if (count_ != 0 && ranges_[count_ - 1].end == first) {
      ranges_[count_ - 1].end = end;
      return;
    }
    if (count_ == kMax) {
      std::copy(ranges_.begin() + 1, ranges_.end(), ranges_.begin());
      --count_;
    }
    ranges_[count_++] = {first, end};
  }

  // Whether all of it is missing; then it is no longer. What is left of a range on both sides of it
  // may take one place more: without one the older side is given up.
  bool take(std::uint64_t first, std::uint64_t end) {
    for (std::size_t i = 0; i < count_; ++i) {
      const Range range = ranges_[i];
      if (first < range.first || end > range.end) continue;
      remove(i);
      if (end < range.end) insert(i, {end, range.end});
      if (first > range.first) insert(i, {range.first, first});
      return true;
    }
    return false;
  }

  void clear() { count_ = 0; }

 private:
  struct Range {
    std::uint64_t first;
    std::uint64_t end;
  };
  void remove(std::size_t at) {
    std::copy(ranges_.begin() + at + 1, ranges_.begin() + count_, ranges_.begin() + at);
    --count_;
  }
  void insert(std::size_t at, Range range) {
    if (count_ == kMax) return;
    std::copy_backward(ranges_.begin() + at, ranges_.begin() + count_,
                       ranges_.begin() + count_ + 1);
    ranges_[at] = range;
    ++count_;
  }

  std::array<Range, kMax> ranges_{};
  std::size_t count_ = 0;
};

}  // namespace penstock::pdp
