// A port and its queues. The shard's loop sees only PortQueue: port_dpdk.cc is a real device,
// port_sim.cc one that a test feeds.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/ledger/account.h"

struct rte_mbuf;

namespace penstock {

// One receive and transmit queue pair. One thread.
class PortQueue {
 public:
  virtual ~PortQueue() = default;
  // Takes up to packets.size() received packets; returns how many. They belong to the caller.
  [[nodiscard]] virtual std::uint16_t receive(std::span<rte_mbuf*> packets) = 0;
  // Gives packets to the device; returns how many it took. The rest still belongs to the caller.
  [[nodiscard]] virtual std::uint16_t transmit(std::span<rte_mbuf*> packets) = 0;
  // An empty buffer for a packet of the caller's making; nullptr: there is none.
  [[nodiscard]] virtual rte_mbuf* buffer() = 0;
};

struct PortOptions {
  std::string name;    // for messages
  std::string device;  // as given to EAL
  unsigned queues = 1;
  std::uint32_t mtu = 1500;
  std::uint32_t receive_descriptors = 1024;
  std::uint32_t transmit_descriptors = 512;
  std::uint32_t buffers = 8192;       // packet buffers of each queue
  std::uint32_t buffer_bytes = 2048;  // of each buffer; longer packets are chained
  bool promiscuous = false;
  bool all_multicast = false;  // take the frames of every multicast group
};

// Packet buffers that a queue wants at least: a driver fills its descriptors with them, and bursts
// are under way besides.
[[nodiscard]] constexpr std::uint32_t buffers_min(std::uint32_t receive_descriptors,
                                                  std::uint32_t transmit_descriptors) {
  return receive_descriptors + transmit_descriptors + 256;
}

struct PortFacts {
  std::string driver;
  std::array<std::byte, 6> ethernet_address{};
  std::uint32_t mtu = 0;
  bool mtu_refused = false;        // the device keeps an MTU that is smaller than the one asked for
  bool multicast_refused = false;  // it may filter groups that were asked for
  bool drops_hidden = false;       // the kernel drops in front of it, and cannot be asked
  bool spreads = true;             // packets over its queues, by itself
  bool can_transmit = true;
  bool checksums_checked = false;  // by the device: IPv4 and UDP, told in each packet's flags
  int numa_node = -1;
};

class Port {
 public:
  virtual ~Port() = default;
  [[nodiscard]] virtual const PortFacts& facts() const = 0;
  [[nodiscard]] virtual PortQueue& queue(unsigned i) = 0;
  // Any thread, at most some times a second.
  [[nodiscard]] virtual DeviceGauges device_gauges() = 0;
  // No packet is received after this. No queue may be in use.
  virtual void stop() = 0;
};

// Configures and starts the device that EAL was given as options.device. The error names the port,
// the device and what to change.
[[nodiscard]] Result<std::unique_ptr<Port>> start_dpdk_port(const PortOptions& options);

}  // namespace penstock
