// A hash of bytes that nobody can aim at who does not know its secret.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/rng.h"

namespace penstock {

// Two random numbers that no sender knows.
using HashSecret = std::array<std::uint64_t, 2>;
[[nodiscard]] inline HashSecret make_hash_secret(Rng& rng) {
  return {rng.next() | 1U, rng.next() | 1U};  // a multiplier is never 0
}

// Multiply-and-fold (the core of wyhash, Wang Yi).
[[nodiscard]] inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

[[nodiscard]] inline std::uint64_t hash(std::span<const std::byte> bytes,
                                        const HashSecret& secret) {
  std::uint64_t h = secret[1] ^ bytes.size();
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    h = fold(h ^ word, secret[0]);
    bytes = bytes.subspan(8);
  }
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data(), bytes.size());
  return fold(fold(h ^ word, secret[0]), secret[1]);
}

}  // namespace penstock
