#include "dataplane/frame/peer.h"

#include <algorithm>

#include "base/check.h"
#include "dataplane/frame/checksum.h"
#include "dataplane/frame/ip_packet.h"
#include "dataplane/frame/udp.h"
#include "dataplane/frame/wire.h"

namespace penstock {
namespace {

constexpr std::uint8_t kHopLimit = 64;
constexpr std::uint16_t kDontFragment = 0x4000;
constexpr std::size_t kAddressV4At = 12;  // of a mapped address: its last four bytes

void write_ipv4(std::byte* ip, const Peer& peer, std::size_t udp_bytes) {
  std::fill_n(ip, kIpv4Bytes, std::byte{0});
  ip[0] = std::byte{0x45};
  store_be16(ip + 2, static_cast<std::uint16_t>(kIpv4Bytes + udp_bytes));
  store_be16(ip + 6, kDontFragment);
  ip[8] = std::byte{kHopLimit};
  ip[9] = std::byte{kProtocolUdp};
  std::copy_n(&peer.local.bytes[kAddressV4At], 4, ip + 12);
  std::copy_n(&peer.address.bytes[kAddressV4At], 4, ip + 16);
  store(ip + 10, checksum_finish(header_sum<kIpv4Bytes>(ip)));
}

void write_ipv6(std::byte* ip, const Peer& peer, std::size_t udp_bytes) {
  store_be32(ip, 0x6000'0000);
  store_be16(ip + 4, static_cast<std::uint16_t>(udp_bytes));
  ip[6] = std::byte{kProtocolUdp};
  ip[7] = std::byte{kHopLimit};
  std::ranges::copy(peer.local.bytes, ip + 8);
  std::ranges::copy(peer.address.bytes, ip + 24);
}

std::size_t ip_bytes(const Peer& peer) { return peer.address.is_v4() ? kIpv4Bytes : kIpv6Bytes; }

}  // namespace

Peer peer_of(const Datagram& datagram, std::span<const std::byte> link, const EthernetAddress& ours,
             std::uint16_t port_number) {
  Peer peer{.address = datagram.source,
            .local = datagram.destination,
            .port = datagram.source_port,
            .local_port = datagram.destination_port,
            .port_number = port_number};
  const bool to_one = !datagram.destination.is_multicast();  // no answer comes from a group
  if (!to_one || link.size() < kEthernetBytes || link.size() > peer.link.size()) return peer;
  peer.link_bytes = static_cast<std::uint16_t>(link.size());
  std::ranges::copy(link, peer.link.begin());
  const auto destination = load<EthernetAddress>(link.data());
  store(peer.link.data(), load<EthernetAddress>(link.data() + 6));
  store(peer.link.data() + 6, is_group(destination) ? ours : destination);
  return peer;
}

std::size_t datagram_head_bytes(const Peer& peer) {
  return peer.link_bytes + ip_bytes(peer) + kUdpBytes;
}

void write_datagram_head(std::span<std::byte> frame, const Peer& peer) {
  CHECK_GE(frame.size(), datagram_head_bytes(peer));
  std::copy_n(peer.link.begin(), peer.link_bytes, frame.begin());
  std::byte* ip = frame.data() + peer.link_bytes;
  std::byte* udp = ip + ip_bytes(peer);
  const std::size_t udp_bytes = frame.size() - peer.link_bytes - ip_bytes(peer);
  peer.address.is_v4() ? write_ipv4(ip, peer, udp_bytes) : write_ipv6(ip, peer, udp_bytes);
  store_be16(udp, peer.local_port);
  store_be16(udp + 2, peer.port);
  store_be16(udp + 4, static_cast<std::uint16_t>(udp_bytes));
  store_be16(udp + 6, 0);
  IpPacket packet;
  packet.source = peer.local;
  packet.destination = peer.address;
  packet.version = peer.address.is_v4() ? 4 : 6;
  const ChecksumSum sum =
      checksum_add(pseudo_header_sum(packet, kProtocolUdp, udp_bytes), std::span(udp, udp_bytes));
  const std::uint16_t checksum = checksum_finish(sum);
  store(udp + 6, checksum == 0 ? std::uint16_t{0xFFFF} : checksum);  // zero would say "none"
}

}  // namespace penstock
