// Ethernet II with up to two VLAN tags (IEEE 802.1Q, 802.1ad):
//
//   destination 6 | source 6 | { 0x8100, 0x88A8 or 0x9100: 2 | tag 2 } x 0..2 | type 2 | payload
//   ...
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "dataplane/frame/port_addresses.h"
#include "dataplane/ledger/fates.h"

namespace penstock {

inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86DD;
inline constexpr std::size_t kEthernetBytes = 14;
inline constexpr std::size_t kVlanTagBytes = 4;
inline constexpr std::size_t kVlanTagsMax = 2;
inline constexpr std::size_t kEthernetBytesMax = kEthernetBytes + kVlanTagsMax * kVlanTagBytes;

struct EthernetFrame {
  EthernetAddress destination{};
  EthernetAddress source{};
  std::uint16_t type = 0;   // host order; of what follows the tags
  std::uint64_t vlans = 0;  // the tags' VLAN numbers and count: equal only for the same network
  std::size_t header_bytes = 0;  // the payload begins here
};

// kTruncatedEthernet, kVlanTooDeep, or the frame.
[[nodiscard]] std::expected<EthernetFrame, PacketFate> parse_ethernet(
    std::span<const std::byte> frame);

// Broadcast is a group address too.
[[nodiscard]] constexpr bool is_group(const EthernetAddress& address) {
  return (address[0] & std::byte{1}) != std::byte{0};
}

}  // namespace penstock
