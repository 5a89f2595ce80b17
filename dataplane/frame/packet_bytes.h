// The bytes of a packet that may lie in a chain of buffers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include <rte_mbuf.h>

namespace penstock {

[[nodiscard]] inline const std::byte* first_bytes(const rte_mbuf& packet) {
  return rte_pktmbuf_mtod(&packet, const std::byte*);
}

// Copies what there is from `from` on, up to to.size() bytes; returns how many. Believes the
// buffers' own lengths, not the packet's.
[[nodiscard]] inline std::size_t copy_bytes(const rte_mbuf& packet, std::size_t from,
                                            std::span<std::byte> to) {
  std::size_t copied = 0;
  for (const rte_mbuf* buffer = &packet; buffer != nullptr && copied < to.size();
       buffer = buffer->next) {
    const std::size_t skipped = std::min<std::size_t>(from, buffer->data_len);
    const std::size_t taken = std::min(buffer->data_len - skipped, to.size() - copied);
    std::memcpy(to.data() + copied, first_bytes(*buffer) + skipped, taken);
    from -= skipped;
    copied += taken;
  }
  return copied;
}

}  // namespace penstock
