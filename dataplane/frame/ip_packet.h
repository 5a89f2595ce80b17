// IPv4 (RFC 791) and IPv6 (RFC 8200) headers, judged by every length they state.
//
// What is not here on purpose: jumbograms (RFC 2675), AH and ESP (their protocol number is handed
// on), and answers to bad packets: Penstock never sends an ICMP error, so it amplifies nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "dataplane/frame/checksum.h"
#include "dataplane/frame/datagram.h"
#include "dataplane/ledger/fates.h"

namespace penstock {

inline constexpr std::size_t kIpv4Bytes = 20;  // without options
inline constexpr std::size_t kIpv6Bytes = 40;  // without extension headers
inline constexpr unsigned kExtensionHeadersMax = 8;
inline constexpr unsigned kExtensionOptionsMax = 16;  // in one header, padding included (RFC
                                                      // 8504, 5.3)

inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;

// Where a fragment belongs in its datagram. One that is the whole datagram (RFC 6946) is no
// fragment.
struct Fragment {
  std::uint32_t identification = 0;  // as it lies on the wire
  std::uint32_t offset = 0;          // bytes
  bool more = false;                 // others follow
};

struct IpPacket {
  IpAddress source;
  IpAddress destination;
  std::uint8_t version = 0;  // 4 or 6
  std::uint8_t hop_limit = 0;
  std::uint8_t protocol = 0;  // of `body`; in a later IPv6 fragment only a hint
  bool plain = true;          // neither IPv4 options nor IPv6 extension headers
  bool fragmented = false;
  Fragment fragment;                // if fragmented
  std::span<const std::byte> body;  // what IP carries, without the padding of the frame
};

// `bytes` begin with the IP header and go on to the end of the frame. The fates are kBadIpHeader,
// kBadIpLength, kBadIpChecksum, kBadExtensionHeader; for IPv4-mapped addresses in IPv6
// kOtherAddress, kBadSource. Else who sent it to whom is not judged.
[[nodiscard]] std::expected<IpPacket, PacketFate> parse_ipv4(std::span<const std::byte> bytes,
                                                             bool verify_checksum);
[[nodiscard]] std::expected<IpPacket, PacketFate> parse_ipv6(std::span<const std::byte> bytes);

// Steps over the IPv6 extension headers in packet.body, of which packet.protocol is the first, up
// to a fragment header or to what is none. `from_start`: the body follows the fixed header, so that
// hop-by-hop options may come; else it is what a datagram's fragments carried.
[[nodiscard]] std::expected<IpPacket, PacketFate> skip_extension_headers(IpPacket packet,
                                                                         bool from_start);

// What UDP and ICMPv6 sum before their own bytes (RFC 768; RFC 8200, 8.1).
[[nodiscard]] ChecksumSum pseudo_header_sum(const IpPacket& packet, std::uint8_t protocol,
                                            std::size_t length);

}  // namespace penstock
