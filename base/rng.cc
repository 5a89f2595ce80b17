#include "base/rng.h"

#include <sys/random.h>

#include <bit>
#include <cerrno>

#include "base/check.h"

namespace penstock {

void fill_from_kernel(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t filled = getrandom(bytes.data(), bytes.size(), 0);
    // A signal may come while it waits, or in the middle of a long fill.
    if (filled < 0) CHECK_EQ(errno, EINTR);
    if (filled > 0) bytes = bytes.subspan(static_cast<std::size_t>(filled));
  }
}

Rng::Rng(std::uint64_t seed) {
  // splitmix64 spreads a small seed over the whole state, as the authors advise.
  for (auto& word : s_) {
    seed += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    word = z ^ (z >> 31U);
  }
}

Rng Rng::from_kernel() {
  std::uint64_t seed = 0;
  fill_from_kernel(std::as_writable_bytes(std::span(&seed, 1)));
  return Rng(seed);
}

std::uint64_t Rng::next() {
  const std::uint64_t result = std::rotl(s_[1] * 5, 7) * 9;
  const std::uint64_t t = s_[1] << 17U;
  s_[2] ^= s_[0];
  s_[3] ^= s_[1];
  s_[1] ^= s_[2];
  s_[0] ^= s_[3];
  s_[2] ^= t;
  s_[3] = std::rotl(s_[3], 45);
  return result;
}

std::uint64_t Rng::below(std::uint64_t bound) {
  CHECK_GT(bound, 0U);
  // Lemire's multiply-and-shift; the bias of at most bound/2^64 is of no consequence here.
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64U);
}

}  // namespace penstock
