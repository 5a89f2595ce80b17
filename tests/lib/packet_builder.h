// Packets as a test writes them down, innermost last:
//
//   ethernet({.vlans = {7}}, ipv4({.source = "10.0.0.9"}, udp({.destination_port = 514}, "hello")))
//
// Lengths, checksums and protocol numbers come out right unless a test states wrong ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/frame/datagram.h"
#include "dataplane/frame/port_addresses.h"

namespace penstock::test {

using Bytes = std::vector<std::byte>;

[[nodiscard]] Bytes bytes_of(std::string_view text);
[[nodiscard]] Bytes operator+(Bytes first, const Bytes& second);
[[nodiscard]] IpAddress ip(std::string_view text);
[[nodiscard]] EthernetAddress ethernet_address(std::string_view text);  // "02:00:00:00:00:01"

inline constexpr std::string_view kOurEthernet = "02:00:00:00:00:01";
inline constexpr std::string_view kPeerEthernet = "02:00:00:00:00:09";
inline constexpr std::string_view kBroadcastEthernet = "ff:ff:ff:ff:ff:ff";

// What IP carries. The checksum is filled in when the addresses are known.
struct Layer {
  Bytes bytes;
  std::uint8_t protocol = 0;        // of the first header in `bytes`
  std::uint8_t upper_protocol = 0;  // of the one with the checksum
  std::size_t upper_at = 0;
  std::optional<std::size_t> checksum_at;
  bool pseudo_header = true;
};

struct UdpFields {
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 514;
  std::optional<std::uint16_t> length = {};
  std::optional<std::uint16_t> checksum = {};
};
[[nodiscard]] Layer udp(const UdpFields& fields, std::string_view payload);

struct IcmpFields {
  std::uint8_t type = 8;
  std::uint8_t code = 0;
  std::optional<std::uint16_t> checksum = {};
};
// `rest` follows the checksum: identifier and so on.
[[nodiscard]] Layer icmp(const IcmpFields& fields, const Bytes& rest);
[[nodiscard]] Layer icmpv6(const IcmpFields& fields, const Bytes& rest);
[[nodiscard]] Layer solicitation(std::string_view target, const Bytes& options);
[[nodiscard]] Bytes source_link_option(std::string_view address);
[[nodiscard]] Layer raw(std::uint8_t protocol, Bytes bytes);

// An IPv6 extension header of any kind but fragment; `data` is what follows its two length octets,
// of 8n + 6 bytes.
[[nodiscard]] Layer extension(std::uint8_t kind, const Bytes& data, Layer inner);
[[nodiscard]] Layer hop_by_hop(Layer inner);  // padding only
[[nodiscard]] Layer fragment_header(std::uint16_t offset, bool more, std::uint32_t identification,
                                    Layer inner);

// A packet above Ethernet, and its type.
struct Network {
  std::uint16_t type = 0;
  Bytes bytes;
};

struct Ipv4Fields {
  std::string_view source = "10.0.0.9";
  std::string_view destination = "10.0.0.2";
  std::uint16_t identification = 1;
  std::uint16_t offset = 0;  // bytes
  bool more = false;
  std::uint8_t ttl = 64;
  Bytes options = {};  // of 4n bytes
  std::optional<std::uint8_t> version_and_words = {};
  std::optional<std::uint16_t> total_length = {};
  std::optional<std::uint16_t> checksum = {};
};
[[nodiscard]] Network ipv4(const Ipv4Fields& fields, Layer inner);

struct Ipv6Fields {
  std::string_view source = "fd00::9";
  std::string_view destination = "fd00::2";
  std::uint8_t hop_limit = 64;
  std::optional<std::uint8_t> version = {};
  std::optional<std::uint16_t> payload_length = {};
};
[[nodiscard]] Network ipv6(const Ipv6Fields& fields, Layer inner);

struct ArpFields {
  std::uint16_t operation = 1;
  std::string_view sender_ethernet = kPeerEthernet;
  std::string_view sender = "10.0.0.9";
  std::string_view target_ethernet = "00:00:00:00:00:00";
  std::string_view target = "10.0.0.2";
  std::array<std::uint8_t, 6> types{0, 1, 8, 0, 6, 4};
};
[[nodiscard]] Network arp(const ArpFields& fields);

struct EthernetFields {
  std::string_view to = kOurEthernet;
  std::string_view from = kPeerEthernet;
  std::vector<std::uint16_t> vlans = {};
  std::uint16_t vlan_type = 0x8100;
  std::optional<std::uint16_t> type = {};
  std::size_t pad_to = 0;  // with 0xEE, as a careless sender would
};
[[nodiscard]] Bytes ethernet(const EthernetFields& fields, const Network& network);

// The fragments of a datagram in order, each with up to `piece` bytes (a multiple of eight) of what
// IP carries.
[[nodiscard]] std::vector<Bytes> fragments_v4(Ipv4Fields fields, Layer inner, std::size_t piece);
[[nodiscard]] std::vector<Bytes> fragments_v6(const Ipv6Fields& fields, Layer inner,
                                              std::size_t piece, std::uint32_t identification = 1);

}  // namespace penstock::test
