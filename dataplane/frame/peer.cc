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

std::uint32_t be32(std::uint32_t value) { return __builtin_bswap32(value); }
std::uint16_t be16(std::size_t value) {
  return __builtin_bswap16(static_cast<std::uint16_t>(value));
}

// Sums are built from the values: bytes that were just written in other pieces are slow to read.
void write_ipv4(std::byte* ip, const Peer& peer, std::size_t udp_bytes) {
  std::array<std::uint32_t, 5> words{
      be32(0x4500'0000 | static_cast<std::uint32_t>(kIpv4Bytes + udp_bytes)),
      be32(kDontFragment),  // identification 0
      be32(std::uint32_t{kHopLimit} << 24U | std::uint32_t{kProtocolUdp} << 16U),
      load<std::uint32_t>(&peer.local.bytes[kAddressV4At]),
      load<std::uint32_t>(&peer.address.bytes[kAddressV4At])};
  ChecksumSum sum = 0;
  for (const std::uint32_t word : words) sum += word;
  words[2] |= std::uint32_t{checksum_finish(sum)} << 16U;
  store(ip, words);
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

void write_head(std::span<std::byte> frame, const Peer& peer, ChecksumSum payload_sum) {
  std::copy_n(peer.link.begin(), peer.link_bytes, frame.begin());
  std::byte* ip = frame.data() + peer.link_bytes;
  std::byte* udp = ip + ip_bytes(peer);
  const std::size_t udp_bytes = frame.size() - peer.link_bytes - ip_bytes(peer);
  peer.address.is_v4() ? write_ipv4(ip, peer, udp_bytes) : write_ipv6(ip, peer, udp_bytes);
  IpPacket packet;
  packet.source = peer.local;
  packet.destination = peer.address;
  packet.version = peer.address.is_v4() ? 4 : 6;
  const std::array<std::uint16_t, 3> head{be16(peer.local_port), be16(peer.port), be16(udp_bytes)};
  const ChecksumSum sum =
      checksum_add_word(payload_sum, pseudo_header_sum(packet, kProtocolUdp, udp_bytes) + head[0] +
                                         head[1] + head[2]);
  const std::uint16_t checksum = checksum_finish(sum);
  store(udp, head);
  store(udp + 6, checksum == 0 ? std::uint16_t{0xFFFF} : checksum);  // zero would say "none"
}

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

void write_datagram(std::span<std::byte> frame, const Peer& peer,
                    std::span<const std::byte> payload) {
  CHECK_EQ(frame.size(), datagram_head_bytes(peer) + payload.size());
  write_head(frame, peer, checksum_copy(0, frame.data() + datagram_head_bytes(peer), payload));
}

void write_datagram_head(std::span<std::byte> frame, const Peer& peer) {
  CHECK_GE(frame.size(), datagram_head_bytes(peer));
  write_head(frame, peer, checksum_add(0, frame.subspan(datagram_head_bytes(peer))));
}

}  // namespace penstock
