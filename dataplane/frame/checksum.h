// The Internet checksum (RFC 1071): the one's complement sum of 16-bit words that IPv4, UDP and
// ICMP carry.
//
// A sum is built over parts and folded once. It doesn't depend on the byte order, so words are read
// and the result is written as they lie in memory. Over data with its right checksum in place the
// fold is 0xFFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace penstock {

// The sum so far in one's complement: any value that is congruent modulo 0xFFFF, zero only for
// zeros.
using ChecksumSum = std::uint64_t;

[[nodiscard]] constexpr ChecksumSum checksum_add_word(ChecksumSum sum, std::uint64_t word) {
  sum += word;
  return sum + (sum < word ? 1 : 0);
}

// Adds the words of `bytes`; an odd last byte counts as padded with zero, so only the last part
// that is added may have an odd length.
[[nodiscard]] ChecksumSum checksum_add(ChecksumSum sum, std::span<const std::byte> bytes);

// The same of bytes that are copied on the way. `to` has room for them, and lies elsewhere.
[[nodiscard]] ChecksumSum checksum_copy(ChecksumSum sum, std::byte* to,
                                        std::span<const std::byte> from);

// The sum in 16 bits, in memory order; the checksum to send is its complement.
[[nodiscard]] constexpr std::uint16_t checksum_fold(ChecksumSum sum) {
  sum = (sum & 0xFFFF'FFFFU) + (sum >> 32U);
  sum = (sum & 0xFFFF'FFFFU) + (sum >> 32U);
  sum = (sum & 0xFFFFU) + (sum >> 16U);
  sum = (sum & 0xFFFFU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

[[nodiscard]] constexpr std::uint16_t checksum_finish(ChecksumSum sum) {
  return static_cast<std::uint16_t>(~checksum_fold(sum));
}

[[nodiscard]] constexpr bool checksum_good(ChecksumSum sum) { return checksum_fold(sum) == 0xFFFF; }

// The sum of a header of fixed length, inline: no call, no carry to look after.
template <std::size_t Bytes>
[[nodiscard]] inline ChecksumSum header_sum(const std::byte* header) {
  static_assert(Bytes % 4 == 0 && Bytes <= 64);
  ChecksumSum sum = 0;
  for (std::size_t i = 0; i < Bytes; i += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, header + i, sizeof word);
    sum += word;
  }
  return sum;
}

// The ways to sum, for tests and benchmarks; checksum_add() picks one. The last two need what they
// are named for.
[[nodiscard]] ChecksumSum checksum_add_words(ChecksumSum sum, std::span<const std::byte> bytes);
[[nodiscard]] ChecksumSum checksum_add_sse2(ChecksumSum sum, std::span<const std::byte> bytes);
[[nodiscard]] ChecksumSum checksum_add_avx2(ChecksumSum sum, std::span<const std::byte> bytes);
[[nodiscard]] ChecksumSum checksum_add_avx512(ChecksumSum sum, std::span<const std::byte> bytes);
[[nodiscard]] bool have_avx2();
[[nodiscard]] bool have_avx512();

}  // namespace penstock
