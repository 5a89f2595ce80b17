// Finds a number by a hash of what it stands for.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/hash.h"

namespace penstock {

// Open addressing, never more than half full. One thread; all memory is taken by the constructor.
class NumberIndex {
 public:
  explicit NumberIndex(std::size_t most) : places_(std::bit_ceil(2 * most), kNone) {}

  // The number that was added with this hash and of which is_it(number) is true.
  template <class IsIt>
  [[nodiscard]] std::optional<std::uint32_t> find(std::uint64_t hash, IsIt&& is_it) const {
    for (std::size_t at = place_of(hash); places_[at] != kNone; at = next(at)) {
      if (is_it(places_[at])) return places_[at];
    }
    return std::nullopt;
  }
  // One more; `most` of them at most.
  void add(std::uint64_t hash, std::uint32_t number) {
    std::size_t at = place_of(hash);
    while (places_[at] != kNone) at = next(at);
    places_[at] = number;
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  [[nodiscard]] std::size_t place_of(std::uint64_t hash) const {
    return fold(hash, kSpread) & (places_.size() - 1);
  }
  [[nodiscard]] std::size_t next(std::size_t at) const { return (at + 1) & (places_.size() - 1); }

  static constexpr std::uint64_t kSpread = 0x9E3779B97F4A7C15;  // 2^64 / the golden ratio
  std::vector<std::uint32_t> places_;
};

}  // namespace penstock
