// Random numbers as a seam: seeded where a run must repeat itself, from the kernel where it must
// not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace penstock {

// By getrandom(2): fit for secrets. Waits until the kernel has gathered enough, early after boot.
void fill_from_kernel(std::span<std::byte> bytes);

// xoshiro256** (Blackman and Vigna, 2018). Not for secrets.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);
  // Seeded by the kernel.
  [[nodiscard]] static Rng from_kernel();

  [[nodiscard]] std::uint64_t next();
  // Uniform in [0, bound); bound > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
  // True `per_million` times out of a million.
  [[nodiscard]] bool chance(std::uint32_t per_million) { return below(1'000'000) < per_million; }

 private:
  std::uint64_t s_[4];
};

}  // namespace penstock
