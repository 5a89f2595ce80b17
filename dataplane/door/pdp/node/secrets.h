// Numbers that nobody can guess: SHA-256 over a secret seed and a counter. Made from the kernel's
// randomness in a node, from a run's seed in a simulation.
#pragma once

#include "dataplane/door/pdp/sha256.h"
#include "storage/format/format.h"

namespace penstock::pdp {

// One thread. Nothing is allocated.
class Secrets {
 public:
  using Seed = std::array<std::byte, 32>;
  explicit Secrets(const Seed& seed) : seed_(seed) {}

  [[nodiscard]] std::uint64_t next() { return load<std::uint64_t>(digest()); }
  void fill(std::array<std::byte, 16>& bytes) { bytes = load<std::array<std::byte, 16>>(digest()); }

 private:
  [[nodiscard]] Digest digest() {
    ++counter_;
    return sha256({seed_, std::as_bytes(std::span(&counter_, 1))});
  }

  Seed seed_;
  std::uint64_t counter_ = 0;
};

}  // namespace penstock::pdp
