// Packet buffers for tests. EAL must run.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <rte_mbuf.h>

#include "tests/lib/packet_builder.h"

namespace penstock::test {

class PacketPool {
 public:
  explicit PacketPool(unsigned buffers = 4095, unsigned buffer_bytes = 2048);
  ~PacketPool();
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;

  // In one buffer.
  [[nodiscard]] rte_mbuf* packet(std::span<const std::byte> bytes);
  // In a chain of buffers, a new one at each cut (offsets in rising order).
  [[nodiscard]] rte_mbuf* chained(std::span<const std::byte> bytes,
                                  std::span<const std::size_t> cuts);
  // In memory of its own of exactly this size, so that AddressSanitizer sees a read past the end.
  [[nodiscard]] rte_mbuf* exact(std::span<const std::byte> bytes);

  // For a queue that makes packets of its own.
  [[nodiscard]] rte_mempool* memory() const { return pool_; }
  [[nodiscard]] unsigned in_use() const { return rte_mempool_in_use_count(pool_); }

 private:
  rte_mempool* pool_;
};

// What a packet holds, over all its buffers.
[[nodiscard]] Bytes content(const rte_mbuf& packet);

}  // namespace penstock::test
