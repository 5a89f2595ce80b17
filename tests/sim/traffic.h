// What the network of a simulated node brings: syslog and line datagrams, some of them lost,
// repeated, swapped, damaged or cut short.
#pragma once

#include "dataplane/port/port_sim.h"
#include "tests/lib/packet_pool.h"
#include "tests/sim/oracle.h"

namespace penstock::sim {

inline constexpr std::uint16_t kSyslogPort = 514;
inline constexpr std::uint16_t kLinePort = 5140;
inline constexpr std::uint16_t kUncapturedPort = 5141;  // a door whose messages no stream captures

class Traffic {
 public:
  Traffic(Rng& rng, Oracle& oracle, test::PacketPool& pool, SimQueue& queue);

  // Some packets arrive.
  void burst();
  [[nodiscard]] std::uint64_t arrived() const { return arrived_; }

 private:
  struct Sent {
    test::Bytes frame;
    std::vector<std::uint64_t> numbers;  // of the messages in it, if they are to be stored
  };
  [[nodiscard]] std::string message(std::string_view head, std::size_t filler, Meant meant);
  [[nodiscard]] Sent syslog();
  [[nodiscard]] Sent broken_syslog();
  [[nodiscard]] Sent lines(std::uint16_t port);
  void send(Sent sent);
  void send_fragmented();
  void deliver(const Sent& sent);
  bool feed(std::span<const std::byte> frame);

  Rng& rng_;
  Oracle& oracle_;
  test::PacketPool& pool_;
  SimQueue& queue_;
  std::vector<Sent> held_back_;  // to be overtaken by another
  std::uint64_t arrived_ = 0;
  std::uint16_t identification_ = 1;
};

}  // namespace penstock::sim
