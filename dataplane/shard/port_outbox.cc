#include "dataplane/shard/port_outbox.h"

#include <rte_mbuf.h>

#include "base/check.h"

namespace penstock {

PortOutbox::PortOutbox(const std::vector<Side>& sides, Handover* handover) : handover_(handover) {
  for (const Side& side : sides) {
    CHECK(side.queue != nullptr || handover != nullptr);
    if (side.queue != nullptr) buffers_ = side.queue;
    sides_.push_back({.side = side});
  }
}

PortOutbox::~PortOutbox() { flush(); }

std::span<std::byte> PortOutbox::begin(const Peer& to, std::size_t bytes) {
  CHECK(packet_ == nullptr);
  CHECK_LT(to.port_number, sides_.size());
  if (to.link_bytes == 0) return {};
  PortQueue* queue = sides_[to.port_number].side.queue;
  packet_ = (queue != nullptr ? queue : buffers_)->buffer();
  if (packet_ == nullptr) return {};
  const std::size_t head = datagram_head_bytes(to);
  if (rte_pktmbuf_append(packet_, static_cast<std::uint16_t>(head + bytes)) == nullptr) {
    rte_pktmbuf_free(std::exchange(packet_, nullptr));
    return {};
  }
  to_ = to;
  return {rte_pktmbuf_mtod(packet_, std::byte*) + head, bytes};
}

void PortOutbox::send() {
  CHECK(packet_ != nullptr);
  write_datagram_head({rte_pktmbuf_mtod(packet_, std::byte*), packet_->pkt_len}, to_);
  rte_mbuf* packet = std::exchange(packet_, nullptr);
  const PortOutbox::Side& side = sides_[to_.port_number].side;
  if (side.queue != nullptr) return stage(packet, to_.port_number);
  // A full ring loses an answer, as the network may: the producer asks again.
  if (!handover_->give(side.shard, Handover::Kind::kDeparture, packet, to_.port_number)) {
    rte_pktmbuf_free(packet);
  }
}

void PortOutbox::forward(rte_mbuf* packet, std::uint16_t port) {
  CHECK_LT(port, sides_.size());
  CHECK(sides_[port].side.queue != nullptr);
  stage(packet, port);
}

void PortOutbox::stage(rte_mbuf* packet, std::uint16_t port) {
  Staged& staged = sides_[port];
  staged.packets[staged.count++] = packet;
  if (staged.count == kBurst) flush(staged);
}

void PortOutbox::flush() {
  for (Staged& staged : sides_) {
    if (staged.count > 0) flush(staged);
  }
}

void PortOutbox::flush(Staged& staged) {
  std::uint64_t bytes = 0;
  std::array<std::uint32_t, kBurst> lengths{};
  for (std::uint16_t i = 0; i < staged.count; ++i) lengths[i] = staged.packets[i]->pkt_len;
  const std::uint16_t taken =
      staged.side.queue->transmit(std::span(staged.packets).first(staged.count));
  for (std::uint16_t i = 0; i < taken; ++i) bytes += lengths[i];
  staged.side.account->sent.add(taken, bytes);
  for (std::uint16_t i = taken; i < staged.count; ++i) {
    staged.side.account->unsent.add(lengths[i]);
    rte_pktmbuf_free(staged.packets[i]);
  }
  staged.count = 0;
}

}  // namespace penstock
