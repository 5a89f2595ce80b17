// The datagrams that a shard sends of its own: packets of its ports' queues, given to the devices
// in bursts.
#pragma once

#include <array>
#include <vector>

#include "dataplane/frame/outbox.h"
#include "dataplane/port/port.h"
#include "dataplane/shard/handover.h"

namespace penstock {

// One thread. What it is given outlives it. Allocates at construction only.
class PortOutbox final : public Outbox {
 public:
  // Of each of the node's ports, by number.
  struct Side {
    PortQueue* queue = nullptr;  // this shard's; null: it does not poll the port
    PortAccount* account = nullptr;
    unsigned shard = 0;  // one that polls it
  };
  // `handover` is null where there is one shard only.
  PortOutbox(const std::vector<Side>& sides, Handover* handover);
  ~PortOutbox() override;
  PortOutbox(const PortOutbox&) = delete;
  PortOutbox& operator=(const PortOutbox&) = delete;

  [[nodiscard]] std::span<std::byte> begin(const Peer& to, std::size_t bytes) override;
  void send() override;
  // Hands over what was sent; what a device does not take is given up and counted.
  void flush();
  // A packet of another shard's making, for a port that this one polls.
  void forward(rte_mbuf* packet, std::uint16_t port);

 private:
  static constexpr std::size_t kBurst = 64;
  struct Staged {
    Side side;
    std::array<rte_mbuf*, kBurst> packets{};
    std::uint16_t count = 0;
  };
  void stage(rte_mbuf* packet, std::uint16_t port);
  void flush(Staged& staged);

  std::vector<Staged> sides_;
  Handover* handover_;
  PortQueue* buffers_ = nullptr;  // whose buffers go to ports that others poll
  rte_mbuf* packet_ = nullptr;    // begun, not sent yet
  Peer to_;
};

}  // namespace penstock
