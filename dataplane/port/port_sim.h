// A queue of a port that a test or a simulation feeds with packets.
#pragma once

#include <functional>
#include <vector>

#include "dataplane/port/port.h"

struct rte_mempool;

namespace penstock {

// One thread. Allocates at construction only. Packets that are left are freed with it.
class SimQueue final : public PortQueue {
 public:
  // `pool`: what buffer() takes from; nullptr: it gives none.
  explicit SimQueue(std::size_t descriptors, rte_mempool* pool = nullptr)
      : ring_(descriptors), pool_(pool) {}
  ~SimQueue() override { clear(); }
  SimQueue(const SimQueue&) = delete;
  SimQueue& operator=(const SimQueue&) = delete;

  // As if from the wire; the packet is the queue's now. False: no free descriptor, it was dropped.
  bool feed(rte_mbuf* packet);
  // Packets that the device takes for transmission from now on; the rest stays with the caller.
  void set_transmit_room(std::uint64_t packets) { transmit_room_ = packets; }
  // Shows each transmitted packet to `see` before it is freed.
  void watch(std::function<void(const rte_mbuf&)> see) { see_ = std::move(see); }
  // Frees what was not received yet.
  void clear();

  [[nodiscard]] std::uint16_t receive(std::span<rte_mbuf*> packets) override;
  [[nodiscard]] std::uint16_t transmit(std::span<rte_mbuf*> packets) override;
  [[nodiscard]] rte_mbuf* buffer() override;

  [[nodiscard]] std::size_t waiting() const { return static_cast<std::size_t>(end_ - begin_); }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t missed() const { return missed_; }
  [[nodiscard]] std::uint64_t transmitted() const { return transmitted_; }

 private:
  std::vector<rte_mbuf*> ring_;
  rte_mempool* pool_;
  std::function<void(const rte_mbuf&)> see_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t missed_ = 0;
  std::uint64_t transmitted_ = 0;
  std::uint64_t transmit_room_ = ~std::uint64_t{0};
};

}  // namespace penstock
