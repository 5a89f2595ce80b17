#include "control/daemon/ports.h"

#include <spdlog/spdlog.h>

#include "control/config/doors.h"
#include "control/config/ports.h"

namespace penstock {
namespace {

void warn_of_receiving(const PortConfig& port, const PortFacts& facts) {
  if (facts.mtu_refused) {
    spdlog::warn(
        "port {}: its device keeps an MTU of {}, and port.mtu is {}: longer packets are lost; "
        "raise the MTU of its interface or the frame size in port.device, or lower port.mtu",
        port.name, facts.mtu, port.mtu);
  }
  if (facts.multicast_refused) {
    spdlog::warn(
        "port {}: its device cannot be told to take multicast; where its interface filters, "
        "groups and IPv6 neighbours do not reach it: set the interface promiscuous",
        port.name);
  }
  if (facts.drops_hidden) {
    spdlog::warn(
        "port {}: its driver's sockets were not found in /proc/self/fd: what the kernel drops "
        "because their ring is full is in no count",
        port.name);
  }
  if (!facts.spreads) {
    spdlog::warn(
        "port {}: its device does not spread packets over queues (no RSS): unless its peer does, "
        "one shard gets everything; name a single shard in port.shards",
        port.name);
  }
}

}  // namespace

Result<std::unique_ptr<Port>> start_port(const Config& config, const PortConfig& port) {
  auto device = device_of(port, config);
  if (!device) return std::unexpected(std::move(device.error()));
  const PortOptions options{.name = port.name,
                            .device = device->device,
                            .queues = static_cast<unsigned>(shards_of(port, config).size()),
                            .mtu = port.mtu,
                            .receive_descriptors = port.receive_descriptors,
                            .transmit_descriptors = port.transmit_descriptors,
                            .buffers = port.buffers,
                            .buffer_bytes = device->buffer_bytes,
                            .promiscuous = port.promiscuous,
                            .all_multicast = wants_multicast(config, port)};
  auto started = start_dpdk_port(options);
  if (!started) return started;
  const PortFacts& facts = (*started)->facts();
  spdlog::info("port {}: {} ({}), {} queues, MTU {}, buffers of {} bytes, checksums {}", port.name,
               options.device, facts.driver, options.queues, facts.mtu, options.buffer_bytes,
               facts.checksums_checked ? "by the device" : "in software");
  warn_of_receiving(port, facts);
  if (!facts.can_transmit) {
    spdlog::warn("port {}: cannot transmit, so it answers neither ARP nor echo", port.name);
  }
  return started;
}

}  // namespace penstock
