#include "dataplane/frame/checksum.h"

#include <immintrin.h>

namespace penstock {
namespace {

// Below this the vector code's start and end cost more than its middle saves.
constexpr std::size_t kVectorBytesMin = 64;

// Known before main(): no test of a guard variable in the loop.
const bool kHaveAvx2 = __builtin_cpu_supports("avx2") != 0;

template <class Word>
Word load(const std::byte* at) {
  Word word{};
  std::memcpy(&word, at, sizeof word);
  return word;
}

// The vector code adds both halves of every 64-bit lane as 32-bit words: a lane overflows only
// after 2^31 steps, and a packet has some thousands.
template <bool Copies>
[[gnu::target("avx2")]] ChecksumSum add_avx2(ChecksumSum sum, [[maybe_unused]] std::byte* to,
                                             std::span<const std::byte> bytes) {
  const __m256i low = _mm256_set1_epi64x(0xFFFF'FFFF);
  __m256i even_a = _mm256_setzero_si256();
  __m256i even_b = even_a;
  __m256i odd_a = even_a;
  __m256i odd_b = even_a;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 64; at += 64, left -= 64) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32));
    if constexpr (Copies) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), a);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 32), b);
      to += 64;
    }
    even_a = _mm256_add_epi64(even_a, _mm256_and_si256(a, low));
    odd_a = _mm256_add_epi64(odd_a, _mm256_srli_epi64(a, 32));
    even_b = _mm256_add_epi64(even_b, _mm256_and_si256(b, low));
    odd_b = _mm256_add_epi64(odd_b, _mm256_srli_epi64(b, 32));
  }
  const __m256i total =
      _mm256_add_epi64(_mm256_add_epi64(even_a, odd_a), _mm256_add_epi64(even_b, odd_b));
  alignas(32) std::uint64_t lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), total);
  // g++ 12 leaves it out of a function that ends in a call; Intel's processors then take some 50 ns
  // at the next SSE instruction and at the next AVX one, for every packet.
  _mm256_zeroupper();
  if (Copies && left != 0) std::memcpy(to, at, left);
  for (const std::uint64_t lane : lanes) sum = checksum_add_word(sum, lane);
  return checksum_add_words(sum, {at, left});
}

}  // namespace

bool have_avx2() { return kHaveAvx2; }

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
  const __m128i low = _mm_set1_epi64x(0xFFFF'FFFF);
  __m128i even_a = _mm_setzero_si128();
  __m128i even_b = even_a;
  __m128i odd_a = even_a;
  __m128i odd_b = even_a;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 32; at += 32, left -= 32) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16));
    even_a = _mm_add_epi64(even_a, _mm_and_si128(a, low));
    odd_a = _mm_add_epi64(odd_a, _mm_srli_epi64(a, 32));
    even_b = _mm_add_epi64(even_b, _mm_and_si128(b, low));
    odd_b = _mm_add_epi64(odd_b, _mm_srli_epi64(b, 32));
  }
  const __m128i total = _mm_add_epi64(_mm_add_epi64(even_a, odd_a), _mm_add_epi64(even_b, odd_b));
  sum = checksum_add_word(sum, static_cast<std::uint64_t>(_mm_cvtsi128_si64(total)));
  sum = checksum_add_word(
      sum, static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(total, total))));
  return checksum_add_words(sum, {at, left});
}

ChecksumSum checksum_add_avx2(ChecksumSum sum, std::span<const std::byte> bytes) {
  return add_avx2<false>(sum, nullptr, bytes);
}

ChecksumSum checksum_add(ChecksumSum sum, std::span<const std::byte> bytes) {
  if (bytes.size() < kVectorBytesMin) return checksum_add_words(sum, bytes);
  return kHaveAvx2 ? checksum_add_avx2(sum, bytes) : checksum_add_sse2(sum, bytes);
}

ChecksumSum checksum_copy(ChecksumSum sum, std::byte* to, std::span<const std::byte> from) {
  if (kHaveAvx2 && from.size() >= kVectorBytesMin) return add_avx2<true>(sum, to, from);
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
  return checksum_add(sum, from);
}

}  // namespace penstock
