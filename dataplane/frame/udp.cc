#include "dataplane/frame/udp.h"

#include "dataplane/frame/wire.h"

namespace penstock {
PacketFate parse_udp(const IpPacket& packet, bool verify_checksum, Datagram& out) {
  if (packet.body.size() < kUdpBytes) return PacketFate::kBadUdpLength;
  const std::byte* header = packet.body.data();
  const std::size_t length = load_be16(header + 4);
  if (length < kUdpBytes || length > packet.body.size()) return PacketFate::kBadUdpLength;
  if (load<std::uint16_t>(header + 6) == 0) {
    if (packet.version == 6) return PacketFate::kBadUdpChecksum;
  } else if (verify_checksum) {
    const ChecksumSum sum = pseudo_header_sum(packet, kProtocolUdp, length);
    if (!checksum_good(checksum_add(sum, packet.body.first(length)))) {
      return PacketFate::kBadUdpChecksum;
    }
  }
  out.payload = packet.body.subspan(kUdpBytes, length - kUdpBytes);
  out.source = packet.source;
  out.destination = packet.destination;
  out.source_port = load_be16(header);
  out.destination_port = load_be16(header + 2);
  return PacketFate::kDecoded;
}

}  // namespace penstock
