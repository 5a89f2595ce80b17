#include "dataplane/frame/checksum.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"

namespace penstock {
namespace {

// RFC 1071, 1: as it is defined, word by word, in host order.
std::uint16_t naive(std::span<const std::byte> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += std::to_integer<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8U : 0U);
    while (sum > 0xFFFF) sum = (sum & 0xFFFFU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(sum);
}

std::uint16_t host_order(ChecksumSum sum) { return __builtin_bswap16(checksum_fold(sum)); }

std::vector<std::byte> random_bytes(std::size_t size, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.next());
  return bytes;
}

void expect_all_ways(std::span<const std::byte> bytes) {
  const std::uint16_t expected = naive(bytes);
  ASSERT_EQ(host_order(checksum_add(0, bytes)), expected) << bytes.size();
  ASSERT_EQ(host_order(checksum_add_words(0, bytes)), expected) << bytes.size();
  ASSERT_EQ(host_order(checksum_add_sse2(0, bytes)), expected) << bytes.size();
  if (have_avx2()) {
    ASSERT_EQ(host_order(checksum_add_avx2(0, bytes)), expected) << bytes.size();
  }
  if (have_avx512()) {
    ASSERT_EQ(host_order(checksum_add_avx512(0, bytes)), expected) << bytes.size();
  }
  std::vector<std::byte> copy(bytes.size() + 1);
  ASSERT_EQ(host_order(checksum_copy(0, copy.data(), bytes)), expected) << bytes.size();
  ASSERT_TRUE(std::ranges::equal(std::span(copy).first(bytes.size()), bytes)) << bytes.size();
  ASSERT_EQ(copy.back(), std::byte{0}) << "written behind " << bytes.size();
}

TEST(Checksum, TheExampleOfTheRfcComesOut) {
  const std::byte example[] = {std::byte{0x00}, std::byte{0x01}, std::byte{0xF2}, std::byte{0x03},
                               std::byte{0xF4}, std::byte{0xF5}, std::byte{0xF6}, std::byte{0xF7}};
  EXPECT_EQ(host_order(checksum_add(0, example)), 0xDDF2);
}

TEST(Checksum, EveryLengthAtEveryAlignmentIsTheNaiveSum) {
  constexpr std::size_t kLengthMax = 600;
  constexpr std::size_t kAlignment = 64;
  const auto bytes = random_bytes(kLengthMax + kAlignment, 1);
  for (std::size_t length = 0; length <= kLengthMax; ++length) {
    for (std::size_t at = 0; at < kAlignment; ++at) {
      expect_all_ways(std::span(bytes).subspan(at, length));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Checksum, TheLongestPacketsAreTheNaiveSum) {
  for (const std::size_t length : {1472U, 8972U, 9000U, 65535U, 65536U, 1U << 20U}) {
    expect_all_ways(random_bytes(length, length));
  }
}

TEST(Checksum, CarriesOfAllOnesAreNotLost) {
  for (std::size_t length = 0; length <= 4096; ++length) {
    expect_all_ways(std::vector<std::byte>(length, std::byte{0xFF}));
    if (HasFatalFailure()) return;
  }
  expect_all_ways(std::vector<std::byte>(1U << 24U, std::byte{0xFF}));
}

TEST(Checksum, PartsAddUpToTheWhole) {
  const auto bytes = random_bytes(1501, 3);
  const std::span<const std::byte> all = bytes;
  for (std::size_t cut = 0; cut <= all.size(); cut += 2) {
    const ChecksumSum parts = checksum_add(checksum_add(0, all.first(cut)), all.subspan(cut));
    ASSERT_EQ(host_order(parts), naive(all)) << cut;
  }
}

TEST(Checksum, AHeaderOfFixedLengthIsTheSame) {
  const auto bytes = random_bytes(64, 4);
  EXPECT_EQ(host_order(header_sum<20>(bytes.data() + 1)), naive(std::span(bytes).subspan(1, 20)));
  EXPECT_EQ(host_order(header_sum<40>(bytes.data())), naive(std::span(bytes).first(40)));
}

TEST(Checksum, DataWithItsChecksumIsGoodAndWithAnyBitFlippedIsNot) {
  auto bytes = random_bytes(60, 5);
  bytes[10] = bytes[11] = std::byte{0};
  const std::uint16_t checksum = checksum_finish(checksum_add(0, bytes));
  std::memcpy(&bytes[10], &checksum, sizeof checksum);
  EXPECT_TRUE(checksum_good(checksum_add(0, bytes)));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    EXPECT_FALSE(checksum_good(checksum_add(0, bytes))) << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
  }
}

}  // namespace
}  // namespace penstock
