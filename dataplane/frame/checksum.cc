#include "dataplane/frame/checksum.h"

#include <immintrin.h>

namespace penstock {
namespace {

// Below this the vector code's start and end cost more than its middle saves.
constexpr std::size_t kVectorBytesMin = 64;

// Known before main(): no test of a guard variable in the loop.
const bool kHaveAvx2 = __builtin_cpu_supports("avx2") != 0;
const bool kHaveAvx512 = __builtin_cpu_supports("avx512f") != 0;

template <class Word>
Word load(const std::byte* at) {
  Word word{};
  std::memcpy(&word, at, sizeof word);
  return word;
}

using Lanes2 [[gnu::vector_size(16)]] = std::uint64_t;  // every x86-64 has them
using Lanes4 [[gnu::vector_size(32)]] = std::uint64_t;
using Lanes8 [[gnu::vector_size(64)]] = std::uint64_t;

// Adds both halves of every 64-bit lane as 32-bit words: a lane overflows only after 2^31 steps,
// and a packet has some thousands. What is left over is for narrower vectors.
template <bool Copies, class Lanes, class... Narrower>
[[gnu::always_inline]] inline ChecksumSum add_vectors(ChecksumSum sum,
                                                      [[maybe_unused]] std::byte* to,
                                                      std::span<const std::byte> bytes) {
  constexpr std::size_t kWidth = sizeof(Lanes);
  constexpr std::uint64_t kLow = 0xFFFF'FFFF;
  Lanes even{};
  Lanes odd{};
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= kWidth; at += kWidth, left -= kWidth) {
    Lanes lanes;
    std::memcpy(&lanes, at, kWidth);
    if constexpr (Copies) {
      std::memcpy(to, &lanes, kWidth);
      to += kWidth;
    }
    even += lanes & kLow;
    odd += lanes >> 32U;
  }
  const Lanes total = even + odd;
  std::uint64_t added = 0;
  for (std::size_t i = 0; i < kWidth / sizeof added; ++i) added += total[i];
  sum = checksum_add_word(sum, added);
  if constexpr (sizeof...(Narrower) != 0) {
    return add_vectors<Copies, Narrower...>(sum, to, {at, left});
  }
  if (Copies && left != 0) std::memcpy(to, at, left);
  return checksum_add_words(sum, {at, left});
}

// g++ 12 leaves vzeroupper out of a function that ends in a call; Intel's processors then take some
// 50 ns at the next SSE instruction and at the next AVX one, for every packet.
template <bool Copies>
[[gnu::target("avx2")]] ChecksumSum add_avx2(ChecksumSum sum, std::byte* to,
                                             std::span<const std::byte> bytes) {
  sum = add_vectors<Copies, Lanes4, Lanes2>(sum, to, bytes);
  _mm256_zeroupper();
  return sum;
}

template <bool Copies>
[[gnu::target("avx512f")]] ChecksumSum add_avx512(ChecksumSum sum, std::byte* to,
                                                  std::span<const std::byte> bytes) {
  sum = add_vectors<Copies, Lanes8, Lanes4, Lanes2>(sum, to, bytes);
  _mm256_zeroupper();
  return sum;
}

}  // namespace

bool have_avx2() { return kHaveAvx2; }
bool have_avx512() { return kHaveAvx512; }

ChecksumSum checksum_add_words(ChecksumSum sum, std::span<const std::byte> bytes) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) sum = checksum_add_word(sum, load<std::uint64_t>(at));
  if (left >= 4) {
    sum = checksum_add_word(sum, load<std::uint32_t>(at));
    at += 4;
    left -= 4;
  }
  if (left >= 2) {
    sum = checksum_add_word(sum, load<std::uint16_t>(at));
    at += 2;
    left -= 2;
  }
  return left == 0 ? sum : checksum_add_word(sum, load<std::uint8_t>(at));
}

ChecksumSum checksum_add_sse2(ChecksumSum sum, std::span<const std::byte> bytes) {
  return add_vectors<false, Lanes2>(sum, nullptr, bytes);
}

ChecksumSum checksum_add_avx2(ChecksumSum sum, std::span<const std::byte> bytes) {
  return add_avx2<false>(sum, nullptr, bytes);
}

ChecksumSum checksum_add_avx512(ChecksumSum sum, std::span<const std::byte> bytes) {
  return add_avx512<false>(sum, nullptr, bytes);
}

ChecksumSum checksum_add(ChecksumSum sum, std::span<const std::byte> bytes) {
  if (bytes.size() < kVectorBytesMin) return checksum_add_words(sum, bytes);
  if (kHaveAvx512) return checksum_add_avx512(sum, bytes);
  return kHaveAvx2 ? checksum_add_avx2(sum, bytes) : checksum_add_sse2(sum, bytes);
}

ChecksumSum checksum_copy(ChecksumSum sum, std::byte* to, std::span<const std::byte> from) {
  if (from.size() >= kVectorBytesMin) {
    if (kHaveAvx512) return add_avx512<true>(sum, to, from);
    if (kHaveAvx2) return add_avx2<true>(sum, to, from);
  }
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
  return checksum_add(sum, from);
}

}  // namespace penstock
