#include "perf/blast/sender_port.h"

#include <chrono>
#include <limits>
#include <thread>

#include <fmt/format.h>
#include <rte_ethdev.h>

#include "base/units.h"
#include "dataplane/port/device.h"
#include "dataplane/port/eal.h"

namespace penstock::blast {
namespace {

constexpr std::size_t kEthernetHeader = 14;
constexpr std::uint32_t kMtuLeast = 1500;

// A receiver that starts later than we do is waited for, at most this long.
bool wait_for_link(Port& port, const volatile bool& stop) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (port.device_gauges().link_up == 0) {
    if (stop || std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// A memif client says how long the ring's buffers are. Packets that take several are no good there:
// the driver of DPDK 22.11 overruns the ring when too few of them are free, and the peer then gets
// old packets again.
std::string device_of(const Options& options, const SenderNeeds& needs) {
  constexpr std::size_t kMemifBufferBytes = 2048;
  const std::string& device = options.device;
  if (!device.starts_with("net_memif") || needs.packet_bytes <= kMemifBufferBytes ||
      device.find("bsize=") != std::string::npos) {
    return device;
  }
  return fmt::format("{},bsize={}", device, align_up<std::size_t>(needs.packet_bytes, 64));
}

EalOptions eal_options(const Options& options, const SenderNeeds& needs) {
  constexpr std::uint64_t kOverhead = 512;  // of a buffer: its header, headroom and alignment
  EalOptions eal;
  eal.program = "penstock-blast";
  eal.file_prefix = options.file_prefix;
  eal.memory_bytes = (112ULL << 20U) + needs.memory_bytes +
                     std::uint64_t{needs.buffers} * (needs.buffer_bytes + kOverhead);
  eal.main_core = options.core;
  eal.devices = {device_of(options, needs)};
  // A peer can map our packets only when they are in one file.
  if (shares_packets(options)) eal.extra_args = {"--single-file-segments"};
  return eal;
}

}  // namespace

bool shares_packets(const Options& options) {
  return device_argument(options.device, "zero-copy") == "yes";
}

std::uint64_t packets_of_device(const std::string& device) {
  std::uint16_t id = 0;
  rte_eth_stats stats{};
  if (rte_eth_dev_get_port_by_name(device.substr(0, device.find(',')).c_str(), &id) != 0 ||
      rte_eth_stats_get(id, &stats) != 0) {
    return std::numeric_limits<std::uint64_t>::max();
  }
  return stats.opackets;
}

Result<std::unique_ptr<Port>> start_sender_port(const Options& options, const SenderNeeds& needs,
                                                const volatile bool& stop) {
  const auto eal = start_eal(eal_options(options, needs));
  if (!eal) return std::unexpected(eal.error());
  const auto mtu = static_cast<std::uint32_t>(needs.packet_bytes - kEthernetHeader);
  auto port = start_dpdk_port({.name = "blast",
                               .device = device_of(options, needs),
                               .mtu = std::max(kMtuLeast, mtu),
                               .buffers = needs.buffers,
                               .buffer_bytes = needs.buffer_bytes});
  if (!port) return port;
  const PortFacts& facts = (*port)->facts();
  if (facts.mtu_refused) {
    return fail(Errc::kUnavailable,
                fmt::format("{} sends packets of {} bytes of IP at most, these have {}; lower "
                            "--size or --packed",
                            options.device, facts.mtu, mtu));
  }
  if (options.wait_for_link && !wait_for_link(**port, stop)) {
    return fail(Errc::kUnavailable,
                fmt::format("the link of {} stays down; is the receiver there?", options.device));
  }
  return port;
}

}  // namespace penstock::blast
