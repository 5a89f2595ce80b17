#include "base/crc32c.h"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"

namespace penstock {
namespace {

std::vector<std::byte> filled(std::size_t size, auto value_at) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(value_at(i));
  return bytes;
}

// One bit after the other, as the polynomial says.
std::uint32_t bitwise(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0U;
  for (const std::byte b : bytes) {
    crc ^= static_cast<std::uint32_t>(b);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}

TEST(Crc32c, GivesTheCheckValue) {
  const std::string_view text = "123456789";
  EXPECT_EQ(crc32c(std::as_bytes(std::span(text))), 0xE3069283U);
  EXPECT_EQ(crc32c({}), 0U);
}

TEST(Crc32c, GivesTheValuesOfRfc3720) {
  EXPECT_EQ(crc32c(filled(32, [](std::size_t) { return 0; })), 0x8A9136AAU);
  EXPECT_EQ(crc32c(filled(32, [](std::size_t) { return 0xFF; })), 0x62A8AB43U);
  EXPECT_EQ(crc32c(filled(32, [](std::size_t i) { return i; })), 0x46DD794EU);
  EXPECT_EQ(crc32c(filled(32, [](std::size_t i) { return 31 - i; })), 0x113FDB5CU);
  // A SCSI Read (10) command.
  auto command = filled(48, [](std::size_t) { return 0; });
  constexpr std::pair<std::size_t, unsigned> kSet[] = {
      {0,  0x01},
      {1,  0xC0},
      {16, 0x14},
      {22, 0x04},
      {27, 0x14},
      {31, 0x18},
      {32, 0x28},
      {40, 0x02}
  };
  for (const auto& [at, value] : kSet) command[at] = static_cast<std::byte>(value);
  EXPECT_EQ(crc32c(command), 0xD9963A56U);
}

TEST(Crc32c, IsThePolynomialAtEveryLengthAndAlignment) {
  Rng rng(1);
  const auto bytes = filled(4096, [&](std::size_t) { return rng.next(); });
  std::size_t cases = 0;
  std::size_t failed = 0;
  for (std::size_t from = 0; from < 16; ++from) {
    for (std::size_t size = 0; size < 300; ++size) {
      const auto part = std::span(bytes).subspan(from, size);
      ++cases;
      failed += crc32c(part) == bitwise(part) ? 0U : 1U;
    }
  }
  EXPECT_EQ(crc32c(bytes), bitwise(bytes));
  std::printf("FIGURE name=crc32c_against_bitwise cases=%zu failed=%zu\n", cases, failed);
  EXPECT_EQ(failed, 0U);
}

TEST(Crc32c, IsTheSameInOnePieceOrTwo) {
  Rng rng(2);
  const auto bytes = filled(1000, [&](std::size_t) { return rng.next(); });
  const auto whole = crc32c(bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const auto first = std::span(bytes).first(cut);
    EXPECT_EQ(crc32c_extend(crc32c(first), std::span(bytes).subspan(cut)), whole) << cut;
  }
}

}  // namespace
}  // namespace penstock
