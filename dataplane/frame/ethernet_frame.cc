#include "dataplane/frame/ethernet_frame.h"

#include "dataplane/frame/wire.h"

namespace penstock {
namespace {

constexpr std::uint16_t kTypeVlan = 0x8100;
constexpr std::uint16_t kTypeServiceVlan = 0x88A8;
constexpr std::uint16_t kTypeOldServiceVlan = 0x9100;  // before 802.1ad; still sent by some
                                                       // switches

constexpr bool is_vlan(std::uint16_t type) {
  return type == kTypeVlan || type == kTypeServiceVlan || type == kTypeOldServiceVlan;
}

}  // namespace

std::expected<EthernetFrame, PacketFate> parse_ethernet(std::span<const std::byte> frame) {
  if (frame.size() < kEthernetBytes) return std::unexpected(PacketFate::kTruncatedEthernet);
  EthernetFrame parsed;
  parsed.destination = load<EthernetAddress>(frame.data());
  parsed.source = load<EthernetAddress>(frame.data() + 6);
  parsed.type = load_be16(frame.data() + 12);
  parsed.header_bytes = kEthernetBytes;
  for (std::size_t tags = 0; is_vlan(parsed.type); ++tags) {
    if (tags == kVlanTagsMax) return std::unexpected(PacketFate::kVlanTooDeep);
    if (frame.size() < parsed.header_bytes + kVlanTagBytes) {
      return std::unexpected(PacketFate::kTruncatedEthernet);
    }
    const std::byte* tag = frame.data() + parsed.header_bytes;
    // The lower 12 bits are the VLAN, the upper ones its priority. The bit above tells VLAN 0 from
    // no tag.
    parsed.vlans = parsed.vlans << 13U | 0x1000U | (load_be16(tag) & 0x0FFFU);
    parsed.type = load_be16(tag + 2);
    parsed.header_bytes += kVlanTagBytes;
  }
  return parsed;
}

}  // namespace penstock
