// The memory of a shard's blocks: taken at start, locked, from hugepages where there are any.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"

namespace penstock {

// Owns the mapping. Move-only.
class BlockMemory {
 public:
  // `bytes` is rounded up to whole pages. Falls back to plain pages when hugepages are wanted and
  // not to be had; hugepages() tells. Every page is touched, so that no fault comes later.
  [[nodiscard]] static Result<BlockMemory> take(std::size_t bytes, bool want_hugepages);
  BlockMemory(BlockMemory&& other) noexcept;
  BlockMemory& operator=(BlockMemory&& other) noexcept;
  ~BlockMemory();

  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }
  [[nodiscard]] bool hugepages() const { return hugepages_; }
  // False: the kernel did not lock it (RLIMIT_MEMLOCK); it may be swapped out.
  [[nodiscard]] bool locked() const { return locked_; }

 private:
  BlockMemory(std::span<std::byte> bytes, bool hugepages, bool locked)
      : bytes_(bytes), hugepages_(hugepages), locked_(locked) {}
  std::span<std::byte> bytes_;
  bool hugepages_;
  bool locked_;
};

}  // namespace penstock
