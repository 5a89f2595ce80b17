// Which addresses are a port's own, and what else it may listen to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dataplane/frame/datagram.h"

namespace penstock {

using EthernetAddress = std::array<std::byte, 6>;

struct PortAddress {
  IpAddress address;
  unsigned prefix_length = 0;  // 0 to 32 for IPv4, 0 to 128 for IPv6
};

// "10.0.0.2/24", "fd00::2/64"; without a length the address stands alone (/32, /128).
[[nodiscard]] Result<PortAddress> parse_port_address(std::string_view text);

// What a destination is to the port.
enum class Destination : std::uint8_t {
  kOurs,       // one of the port's addresses
  kBroadcast,  // 255.255.255.255, or the broadcast address of one of the port's IPv4 subnets
  kGroup,      // a multicast group that a front door listens to
  kAllNodes,   // a group that every host is in: 224.0.0.1, ff01::1, ff02::1, solicited-node of our
               // addresses
  kOther,
};

class PortAddresses {
 public:
  PortAddresses(const EthernetAddress& ethernet, std::span<const PortAddress> own,
                std::span<const IpAddress> groups);

  [[nodiscard]] const EthernetAddress& ethernet() const { return ethernet_; }
  [[nodiscard]] Destination judge(const IpAddress& destination) const;
  [[nodiscard]] bool is_ours(const IpAddress& address) const;

  // The port's IPv4 addresses in network order, for the fast path.
  [[nodiscard]] std::span<const std::uint32_t> own_v4() const { return own_v4_; }

 private:
  EthernetAddress ethernet_;
  std::vector<IpAddress> own_;
  std::vector<IpAddress> groups_;
  std::vector<IpAddress> all_nodes_;
  std::vector<IpAddress> broadcasts_;
  std::vector<std::uint32_t> own_v4_;
};

// ff02::1, all hosts on the link.
[[nodiscard]] const IpAddress& all_nodes_on_link();

// The group in which a neighbour solicitation for `address` is sent (RFC 4291, 2.7.1).
[[nodiscard]] IpAddress solicited_node(const IpAddress& address);

// Whether a packet can truly come from there: no multicast, broadcast, loopback or "this network"
// source (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3). The unspecified IPv6 address is the neighbour
// solicitation's alone.
[[nodiscard]] bool is_possible_source(const IpAddress& address);

}  // namespace penstock
