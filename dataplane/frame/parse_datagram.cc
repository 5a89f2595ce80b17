#include "dataplane/frame/parse_datagram.h"

#include "dataplane/frame/ethernet_frame.h"
#include "dataplane/frame/ip_packet.h"
#include "dataplane/frame/packet_bytes.h"
#include "dataplane/frame/udp.h"

namespace penstock {

std::optional<Datagram> parse_datagram(const rte_mbuf& packet, UnixNanos received,
                                       std::span<std::byte> scratch) {
  std::span<const std::byte> frame(first_bytes(packet), packet.data_len);
  if (packet.nb_segs != 1) frame = scratch.first(copy_bytes(packet, 0, scratch));
  const auto ethernet = parse_ethernet(frame);
  if (!ethernet) return std::nullopt;
  const auto bytes = frame.subspan(ethernet->header_bytes);
  const auto ip = ethernet->type == kEtherTypeIpv4 ? parse_ipv4(bytes, false) : parse_ipv6(bytes);
  if (!ip || ip->fragmented || ip->protocol != kProtocolUdp) return std::nullopt;
  Datagram datagram;
  if (parse_udp(*ip, false, datagram) != PacketFate::kDecoded) return std::nullopt;
  datagram.received = received;
  return datagram;
}

}  // namespace penstock
