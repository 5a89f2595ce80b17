#include "base/copy_past_caches.h"

#include <array>

#include <gtest/gtest.h>

namespace penstock {
namespace {

constexpr std::size_t kRoom = 512;
constexpr std::byte kUntouched{0xEE};

TEST(CopyPastCaches, TakesEveryByteFromAnywhereToAnywhereAndNoOther) {
  alignas(64) std::array<std::byte, kRoom> from{};
  for (std::size_t i = 0; i < kRoom; ++i) from.at(i) = static_cast<std::byte>(i * 7 + 1);
  for (std::size_t to_at = 0; to_at < 64; ++to_at) {
    for (std::size_t bytes = 0; bytes < 200; ++bytes) {
      const std::size_t from_at = (to_at * 5 + bytes) % 64;
      alignas(64) std::array<std::byte, kRoom> to{};
      to.fill(kUntouched);
      copy_past_caches(to.data() + to_at, std::span(from).subspan(from_at, bytes));
      order_copies();
      std::array<std::byte, kRoom> expected{};
      expected.fill(kUntouched);
      std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(from_at), bytes,
                  expected.begin() + static_cast<std::ptrdiff_t>(to_at));
      ASSERT_EQ(to, expected) << bytes << " bytes to " << to_at;
    }
  }
}

}  // namespace
}  // namespace penstock
