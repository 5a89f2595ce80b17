// The network between producers and a simulated node: packets take their time, get lost, repeated,
// overtaken and damaged, and at times nothing gets through.
//
// A damaged packet has one bit flipped behind its Ethernet header, which has a checksum of its own.
// IP and UDP checksums find it; only a sealed frame of a connection goes without UDP's at times, so
// that the seal has to.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "dataplane/port/port_sim.h"
#include "tests/lib/packet_pool.h"

namespace penstock::sim {

struct NetworkOptions {
  std::uint32_t lost = 0;  // per million packets
  std::uint32_t doubled = 0;
  std::uint32_t damaged = 0;
  std::uint32_t clogged = 0;  // per million packets: with it begins a time without any
  std::int64_t delay_ns = 100'000;
  std::int64_t jitter_ns = 0;
  std::size_t datagram_bytes_max = 1472;  // longer ones vanish
};

struct NetworkCounters {
  std::uint64_t sent = 0;  // by producers
  std::uint64_t lost = 0;
  std::uint64_t doubled = 0;
  std::uint64_t damaged = 0;
};

class Network {
 public:
  // A datagram for a producer's port, sent in that life of the node.
  using Receiver = std::function<void(std::uint16_t port, std::span<const std::byte> datagram,
                                      std::uint64_t life)>;

  Network(Rng& rng, SimClock& clock, test::PacketPool& pool, SimQueue& queue)
      : rng_(rng), clock_(clock), pool_(pool), queue_(queue) {}

  void set_options(const NetworkOptions& options) { options_ = options; }
  [[nodiscard]] NetworkOptions& options() { return options_; }
  // Nothing goes wrong from now on.
  void heal();

  void send_to_node(std::uint16_t port, std::span<const std::byte> datagram);
  // What the node's queue transmits.
  void send_from_node(const rte_mbuf& packet, std::uint64_t life);
  // Brings what is due; to the node only while it is there.
  void deliver(bool node_is_there, const Receiver& receive);
  // When the next packet is due; MonotonicNanos::max without one.
  [[nodiscard]] MonotonicNanos next() const;
  [[nodiscard]] bool empty() const { return under_way_.empty(); }
  [[nodiscard]] const NetworkCounters& counters() const { return counters_; }

 private:
  struct Packet {
    bool to_node;
    std::uint16_t port;  // of the producer
    std::uint64_t life;
    std::vector<std::byte> datagram;
  };
  void send(const Packet& packet);
  void feed(const Packet& packet);

  Rng& rng_;
  SimClock& clock_;
  test::PacketPool& pool_;
  SimQueue& queue_;
  NetworkOptions options_;
  NetworkCounters counters_;
  MonotonicNanos clogged_until_{0};
  std::multimap<MonotonicNanos, Packet> under_way_;
};

}  // namespace penstock::sim
