#include "dataplane/frame/port_addresses.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

namespace penstock {
namespace {

constexpr IpAddress kLimitedBroadcast = IpAddress::v4(0xFFFFFFFF);
constexpr IpAddress kAllHosts = IpAddress::v4(0x010000E0);  // 224.0.0.1 in network order

constexpr IpAddress all_nodes(std::uint8_t scope) {
  IpAddress address;
  address.bytes[0] = std::byte{0xFF};
  address.bytes[1] = std::byte{scope};
  address.bytes[15] = std::byte{1};
  return address;
}

std::uint32_t v4_of(const IpAddress& address) {
  std::uint32_t network_order = 0;
  std::memcpy(&network_order, address.bytes.data() + 12, sizeof network_order);
  return network_order;
}

// A subnet of one or two addresses has no broadcast address (RFC 3021).
constexpr unsigned kBroadcastPrefixMax = 30;

bool contains(std::span<const IpAddress> list, const IpAddress& address) {
  return std::ranges::find(list, address) != list.end();
}

}  // namespace

Result<PortAddress> parse_port_address(std::string_view text) {
  const auto slash = text.find('/');
  auto address = parse_ip(text.substr(0, slash));
  if (!address) return std::unexpected(address.error());
  const unsigned longest = address->is_v4() ? 32 : 128;
  if (slash == std::string_view::npos) return PortAddress{*address, longest};
  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size() || length > longest) {
    return fail(Errc::kInvalidArgument,
                fmt::format("'{}': the prefix length after '/' must be 0 to {}", text, longest));
  }
  return PortAddress{*address, length};
}

PortAddresses::PortAddresses(const EthernetAddress& ethernet, std::span<const PortAddress> own,
                             std::span<const IpAddress> groups)
    : ethernet_(ethernet),
      groups_(groups.begin(), groups.end()),
      all_nodes_{kAllHosts, all_nodes(1), all_nodes(2)},
      broadcasts_{kLimitedBroadcast} {
  for (const PortAddress& one : own) {
    own_.push_back(one.address);
    if (!one.address.is_v4()) {
      all_nodes_.push_back(solicited_node(one.address));
      continue;
    }
    own_v4_.push_back(v4_of(one.address));
    if (one.prefix_length <= kBroadcastPrefixMax) {
      const std::uint32_t host_part = 0xFFFFFFFFU >> one.prefix_length;
      broadcasts_.push_back(IpAddress::v4(v4_of(one.address) | htonl(host_part)));
    }
  }
}

bool PortAddresses::is_ours(const IpAddress& address) const { return contains(own_, address); }

Destination PortAddresses::judge(const IpAddress& destination) const {
  if (is_ours(destination)) return Destination::kOurs;
  if (contains(groups_, destination)) return Destination::kGroup;
  if (contains(all_nodes_, destination)) return Destination::kAllNodes;
  if (contains(broadcasts_, destination)) return Destination::kBroadcast;
  return Destination::kOther;
}

const IpAddress& all_nodes_on_link() {
  static constexpr IpAddress kAddress = all_nodes(2);
  return kAddress;
}

IpAddress solicited_node(const IpAddress& address) {
  IpAddress group = all_nodes(2);
  group.bytes[11] = std::byte{1};
  group.bytes[12] = std::byte{0xFF};
  std::copy(address.bytes.begin() + 13, address.bytes.end(), group.bytes.begin() + 13);
  return group;
}

bool is_possible_source(const IpAddress& address) {
  if (address.is_multicast()) return false;
  if (address.is_v4()) {
    return address.bytes[12] != std::byte{0} && address.bytes[12] != std::byte{127} &&
           address != kLimitedBroadcast;
  }
  // :: and ::1
  return std::any_of(address.bytes.begin(), address.bytes.end() - 1,
                     [](std::byte b) { return b != std::byte{0}; }) ||
         address.bytes[15] > std::byte{1};
}

}  // namespace penstock
