// What can be wrong with ports, and with the addresses that doors expect of them.
#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/config/checking.h"
#include "control/config/ports.h"
#include "control/config/value.h"
#include "dataplane/door/door_map.h"
#include "dataplane/frame/port_addresses.h"
#include "dataplane/port/device.h"
#include "dataplane/port/port.h"

namespace penstock {
namespace {

constexpr std::size_t kDeviceNameBytesMax = 60;  // DPDK keeps 64

// What of the host a device takes for itself: two ports that have the same get each other's
// packets. Empty when nothing can be said.
std::string taken_by(const std::string& device) {
  const auto or_else = [&](std::string_view key, std::string_view otherwise) {
    const auto value = device_argument(device, key);
    return std::string(value.empty() ? otherwise : value);
  };
  if (is_pci_address(device)) return "PCI device " + device_name(device);
  if (device.starts_with("net_memif")) {
    return fmt::format("memif socket {} with id {}", or_else("socket", "/run/memif.sock"),
                       or_else("id", "0"));
  }
  const std::string interface = or_else("iface", "");
  if (interface.empty()) return {};
  // AF_XDP takes one queue of an interface, and others may take the other queues.
  if (!device.starts_with("net_af_xdp")) return "interface " + interface;
  return fmt::format("interface {} from queue {} on", interface, or_else("start_queue", "0"));
}

bool is_virtual_device(std::string_view name) {
  return std::ranges::any_of(virtual_drivers(), [&](std::string_view driver) {
    return name.starts_with(driver) &&
           name.find_first_not_of("0123456789", driver.size()) == std::string_view::npos;
  });
}

void check_device(Check& check, std::size_t i) {
  const std::string& device = check.config.ports[i].device;
  const std::string name = device_name(device);
  const std::uint32_t buffer_bytes = check.config.ports[i].buffer_bytes;
  if (buffer_bytes != 0 && (buffer_bytes < kBufferBytesMin || buffer_bytes > kBufferBytesMax)) {
    check.refuse(at("port", i, "buffer_bytes"),
                 fmt::format("must be 0, or from {} to {}", format_size(kBufferBytesMin),
                             format_size(kBufferBytesMax)));
    return;
  }
  if (is_pci_address(device) || (is_virtual_device(name) && name.size() <= kDeviceNameBytesMax)) {
    if (auto plan = device_of(check.config.ports[i], check.config); !plan) {
      check.refuse(at("port", i, "device"), plan.error().what);
    }
    return;
  }
  const std::string kind = name.substr(0, name.find_last_not_of("0123456789") + 1);
  const auto nearest = nearest_name(kind, virtual_drivers());
  check.refuse(
      at("port", i, "device"),
      fmt::format(
          "'{}' is no device: neither a PCI address (\"0000:3b:00.0\") nor a virtual device, "
          "which is a driver's name and a number ({})",
          name,
          nearest.empty() ? std::string("\"net_af_packet0,iface=eth0\", \"net_af_xdp0,iface=eth0\"")
                          : fmt::format("did you mean \"{}0\"?", nearest)));
}

void check_beside_others(Check& check, std::size_t i) {
  const std::string& device = check.config.ports[i].device;
  for (std::size_t j = 0; j < i; ++j) {
    const PortConfig& other = check.config.ports[j];
    if (device_name(other.device) == device_name(device)) {
      check.refuse(at("port", i, "device"),
                   fmt::format("'{}' is the device of port '{}' too; number virtual devices "
                               "(net_memif0, net_memif1)",
                               device_name(device), other.name));
      return;
    }
    if (!taken_by(device).empty() && taken_by(device) == taken_by(other.device)) {
      check.refuse(at("port", i, "device"),
                   fmt::format("port '{}' has the {} already: leave one of them out, or give each "
                               "its own",
                               other.name, taken_by(device)));
      return;
    }
  }
}

void check_addresses(Check& check, std::size_t i) {
  for (const std::string& text : check.config.ports[i].addresses) {
    const auto parsed = parse_port_address(text);
    if (!parsed) {
      check.refuse(at("port", i, "addresses"), parsed.error().what);
    } else if (!is_possible_source(parsed->address)) {
      check.refuse(at("port", i, "addresses"),
                   fmt::format("'{}' is nobody's own address; name one of this host's network, or "
                               "none at all to take every packet",
                               text));
    }
  }
}

void check_shards(Check& check, std::size_t i) {
  std::set<unsigned> seen;
  for (const unsigned shard : check.config.ports[i].shards) {
    if (shard >= check.config.shards.size()) {
      check.refuse(at("port", i, "shards"),
                   fmt::format("there is no shard {}: {} are declared, counted from 0", shard,
                               check.config.shards.size()));
    } else if (!seen.insert(shard).second) {
      check.refuse(at("port", i, "shards"), fmt::format("names shard {} twice", shard));
    }
  }
}

}  // namespace

void check_port(Check& check, std::size_t i) {
  const PortConfig& port = check.config.ports[i];
  check_device(check, i);
  check_beside_others(check, i);
  check_addresses(check, i);
  check_shards(check, i);
  const auto least = buffers_min(port.receive_descriptors, port.transmit_descriptors);
  if (port.buffers < least) {
    check.refuse(at("port", i, "buffers"),
                 fmt::format("must be at least receive_descriptors + transmit_descriptors + 256 "
                             "= {}",
                             least));
  }
}

void check_reachable(Check& check, std::size_t door, const std::string& text) {
  const auto where = parse_listen_address(text);
  if (!where || !where->address || where->address->is_multicast()) return;
  std::vector<PortAddress> own;
  for (const PortConfig& port : check.config.ports) {
    if (port.addresses.empty()) return;  // takes every packet
    for (const std::string& address : port.addresses) {
      if (const auto parsed = parse_port_address(address)) own.push_back(*parsed);
    }
  }
  if (PortAddresses({}, own, {}).judge(*where->address) != Destination::kOther) return;
  check.refuse(at("door", door, "listen"),
               fmt::format("no port has the address of '{}': packets to it are ignored; add it to "
                           "a port's addresses, or listen on \"*:{}\"",
                           text, where->port));
}

}  // namespace penstock
