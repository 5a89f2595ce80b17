#include "dataplane/port/port_sim.h"

#include <algorithm>

#include <rte_mbuf.h>

namespace penstock {

bool SimQueue::feed(rte_mbuf* packet) {
  if (waiting() == ring_.size()) {
    ++missed_;
    rte_pktmbuf_free(packet);
    return false;
  }
  ring_[end_++ % ring_.size()] = packet;
  return true;
}

void SimQueue::clear() {
  for (; begin_ != end_; ++begin_) rte_pktmbuf_free(ring_[begin_ % ring_.size()]);
}

std::uint16_t SimQueue::receive(std::span<rte_mbuf*> packets) {
  const std::size_t count = std::min(packets.size(), waiting());
  for (std::size_t i = 0; i < count; ++i) packets[i] = ring_[begin_++ % ring_.size()];
  received_ += count;
  return static_cast<std::uint16_t>(count);
}

std::uint16_t SimQueue::transmit(std::span<rte_mbuf*> packets) {
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(packets.size(), transmit_room_));
  for (std::size_t i = 0; i < count; ++i) {
    if (see_) see_(*packets[i]);
    rte_pktmbuf_free(packets[i]);
  }
  transmitted_ += count;
  transmit_room_ -= transmit_room_ == ~std::uint64_t{0} ? 0 : count;
  return static_cast<std::uint16_t>(count);
}

rte_mbuf* SimQueue::buffer() { return pool_ == nullptr ? nullptr : rte_pktmbuf_alloc(pool_); }

}  // namespace penstock
