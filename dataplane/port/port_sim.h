// A queue of a port that a test or a simulation feeds with packets.
#pragma once

#include <vector>

#include "dataplane/port/port.h"

namespace penstock {

// One thread. Allocates at construction only. Packets that are left are freed with it.
class SimQueue final : public PortQueue {
 public:
  explicit SimQueue(std::size_t descriptors) : ring_(descriptors) {}
  ~SimQueue() override { clear(); }
  SimQueue(const SimQueue&) = delete;
  SimQueue& operator=(const SimQueue&) = delete;

  // As if from the wire; the packet is the queue's now. False: no free descriptor, it was dropped.
  bool feed(rte_mbuf* packet);
  // Packets that the device takes for transmission from now on; the rest stays with the caller.
  void set_transmit_room(std::uint64_t packets) { transmit_room_ = packets; }
  // Frees what was not received yet.
  void clear();

  [[nodiscard]] std::uint16_t receive(std::span<rte_mbuf*> packets) override;
  [[nodiscard]] std::uint16_t transmit(std::span<rte_mbuf*> packets) override;

  [[nodiscard]] std::size_t waiting() const { return static_cast<std::size_t>(end_ - begin_); }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t missed() const { return missed_; }
  [[nodiscard]] std::uint64_t transmitted() const { return transmitted_; }

 private:
  std::vector<rte_mbuf*> ring_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t missed_ = 0;
  std::uint64_t transmitted_ = 0;
  std::uint64_t transmit_room_ = ~std::uint64_t{0};
};

}  // namespace penstock
