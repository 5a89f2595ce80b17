#include "dataplane/frame/frame_decoder.h"

#include "dataplane/frame/checksum.h"

namespace penstock {
namespace {

// The longest frame: IPv6 with 65,535 bytes behind its header.
constexpr std::size_t kScratchBytes = kEthernetBytesMax + kIpv6Bytes + kIpBodyBytesMax;

// IPv6 headers that may come between the fragment header and UDP.
constexpr std::uint8_t kHeaderRouting = 43;
constexpr std::uint8_t kHeaderDestination = 60;

constexpr std::uint32_t kLimitedBroadcast = 0xFFFFFFFF;

Verdict one_packet(PacketFate fate, const rte_mbuf& packet) { return {fate, 1, packet.pkt_len}; }

bool is_icmp(const IpPacket& ip) {
  return ip.protocol == (ip.version == 4 ? kProtocolIcmp : kProtocolIcmpv6);
}

PacketFate not_udp(const IpPacket& ip) {
  return is_icmp(ip) ? PacketFate::kIcmpOther : PacketFate::kOtherProtocol;
}

// Judges a fragment before it takes room: only what can become UDP is put together. The first
// fragment of IPv6 holds all headers up to UDP (RFC 7112); a later one has nothing to go by but the
// first header behind its own.
PacketFate judge_fragment(const IpPacket& ip) {
  if (ip.version == 4) return ip.protocol == kProtocolUdp ? PacketFate::kDecoded : not_udp(ip);
  if (ip.fragment.offset != 0) {
    const bool hopeful = ip.protocol == kProtocolUdp || ip.protocol == kHeaderRouting ||
                         ip.protocol == kHeaderDestination;
    return hopeful ? PacketFate::kDecoded : not_udp(ip);
  }
  IpPacket inner = ip;
  inner.fragment = {};
  inner.fragmented = false;
  const auto parsed = skip_extension_headers(inner, false);
  if (!parsed) return parsed.error();
  if (parsed->fragmented) return PacketFate::kBadExtensionHeader;
  if (parsed->protocol != kProtocolUdp) return not_udp(*parsed);
  return parsed->body.size() < kUdpBytes ? PacketFate::kBadFragment : PacketFate::kDecoded;
}

// Networks of the same addresses in different VLANs are different ones. A tag that the device has
// stripped is told beside the frame.
std::uint64_t vlans_of(const rte_mbuf& packet, const EthernetFrame& ethernet) {
  if ((packet.ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0) return ethernet.vlans;
  return ethernet.vlans | (0x1000ULL | (packet.vlan_tci & 0x0FFFU)) << 26U;
}

}  // namespace

FrameDecoder::FrameDecoder(const FrameOptions& options)
    : any_address_(options.any_address),
      verify_checksums_(options.verify_checksums),
      addresses_(options.ethernet_address, options.addresses, options.groups),
      address_v4_(addresses_.own_v4().empty() ? kLimitedBroadcast : addresses_.own_v4().front()),
      responder_(addresses_, options.answers),
      fragments_(options.fragments),
      scratch_(kScratchBytes) {
  std::memcpy(&ethernet_, options.ethernet_address.data(), options.ethernet_address.size());
  if (!any_address_) ethernet_mask_ = 0x0000'FFFF'FFFF'FFFF;
}

Verdict FrameDecoder::advance(MonotonicNanos now) {
  responder_.advance(now);
  return fragments_.advance(now);
}

bool FrameDecoder::verify_ip(const rte_mbuf& packet) const {
  const std::uint64_t told = packet.ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
  if (told == RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN) return verify_checksums_;
  return told == RTE_MBUF_F_RX_IP_CKSUM_BAD;
}

bool FrameDecoder::verify_udp(const rte_mbuf& packet) const {
  const std::uint64_t told = packet.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  if (told == RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN) return verify_checksums_;
  return told == RTE_MBUF_F_RX_L4_CKSUM_BAD;
}

// Of a packet that is plain but for its checksums.
bool FrameDecoder::plain_checksums_good(const rte_mbuf& packet, std::size_t udp_bytes) const {
  const std::byte* ip = first_bytes(packet) + kEthernetBytes;
  const std::byte* udp = ip + kIpv4Bytes;
  if (verify_ip(packet) && !checksum_good(header_sum<kIpv4Bytes>(ip))) return false;
  if (load<std::uint16_t>(udp + 6) == 0 || !verify_udp(packet)) return true;
  const ChecksumSum pseudo = header_sum<8>(ip + 12) + __builtin_bswap16(kProtocolUdp) +
                             __builtin_bswap16(static_cast<std::uint16_t>(udp_bytes));
  return checksum_good(checksum_add(pseudo, {udp, udp_bytes}));
}

std::span<const std::byte> FrameDecoder::in_one_piece(const rte_mbuf& packet) {
  if (packet.nb_segs == 1) return {first_bytes(packet), packet.data_len};
  return std::span(scratch_).first(copy_bytes(packet, 0, scratch_));
}

Verdict FrameDecoder::decode_any(rte_mbuf*& packet, Datagram& out) {
  if (packet->nb_segs != 1 && packet->pkt_len > kScratchBytes) {
    return one_packet(PacketFate::kNoBuffer, *packet);
  }
  const std::span<const std::byte> frame = in_one_piece(*packet);
  const auto ethernet = parse_ethernet(frame);
  if (!ethernet) return one_packet(ethernet.error(), *packet);
  Arrival arrival{packet, frame, *ethernet, packet->pkt_len};
  arrival.to_us = ethernet->destination == addresses_.ethernet() || is_group(ethernet->destination);
  if (!arrival.to_us && !any_address_) {
    return one_packet(PacketFate::kOtherEthernetAddress, *packet);
  }
  switch (ethernet->type) {
    case kEtherTypeIpv4:
    case kEtherTypeIpv6: return decode_ip(arrival, out);
    case kEtherTypeArp:
      if (!arrival.to_us) return one_packet(PacketFate::kOtherEthernetAddress, *packet);
      return {responder_.answer_arp({*packet, frame, *ethernet}), 1, arrival.bytes};
    default: return one_packet(PacketFate::kOtherEtherType, *packet);
  }
}

Verdict FrameDecoder::decode_ip(const Arrival& arrival, Datagram& out) {
  const auto bytes = arrival.frame.subspan(arrival.ethernet.header_bytes);
  const auto ip = arrival.ethernet.type == kEtherTypeIpv4
                      ? parse_ipv4(bytes, verify_ip(*arrival.packet))
                      : parse_ipv6(bytes);
  if (!ip) return one_packet(ip.error(), *arrival.packet);
  const Destination to = addresses_.judge(ip->destination);
  const PacketFate fate = judge_ends(*ip, to);
  if (fate != PacketFate::kDecoded) return one_packet(fate, *arrival.packet);
  if (ip->fragmented) return decode_fragment(arrival, *ip, out);
  return {decode_whole(arrival, *ip, out), 1, arrival.bytes};
}

bool FrameDecoder::takes_udp(Destination to) const {
  return any_address_ || to == Destination::kOurs || to == Destination::kBroadcast ||
         to == Destination::kGroup;
}

PacketFate FrameDecoder::judge_ends(const IpPacket& ip, Destination to) const {
  // What is not for us may be from whomever.
  const bool wants_udp = ip.protocol == kProtocolUdp || ip.fragmented;
  if (wants_udp ? !takes_udp(to) : to == Destination::kOther) return PacketFate::kOtherAddress;
  if (is_possible_source(ip.source)) return PacketFate::kDecoded;
  // Who has no address yet may ask all for one, and who else has it (RFC 2131, RFC 4861), but says
  // nothing to a door.
  const bool to_many = to == Destination::kBroadcast || ip.destination.is_multicast();
  const bool plea = !ip.fragmented && (ip.version == 4 ? to_many : is_icmp(ip));
  const IpAddress nobody = ip.version == 4 ? IpAddress::v4(0) : IpAddress{};
  if (ip.source != nobody || !plea) return PacketFate::kBadSource;
  return ip.protocol == kProtocolUdp ? PacketFate::kNoDoor : PacketFate::kDecoded;
}

PacketFate FrameDecoder::decode_whole(const Arrival& arrival, const IpPacket& ip, Datagram& out) {
  if (ip.protocol == kProtocolUdp) return parse_udp(ip, verify_udp(*arrival.packet), out);
  if (!is_icmp(ip)) return PacketFate::kOtherProtocol;
  if (!arrival.to_us) return PacketFate::kOtherEthernetAddress;
  const Request request{*arrival.packet, arrival.frame, arrival.ethernet};
  return ip.version == 4 ? responder_.answer_icmp(request, ip)
                         : responder_.answer_icmpv6(request, ip);
}

Verdict FrameDecoder::decode_fragment(const Arrival& arrival, const IpPacket& ip, Datagram& out) {
  const PacketFate fate = judge_fragment(ip);
  if (fate != PacketFate::kDecoded) return one_packet(fate, *arrival.packet);
  const FragmentKey key{ip.source, ip.destination, vlans_of(*arrival.packet, arrival.ethernet),
                        ip.fragment.identification, ip.version == 4 ? ip.protocol : 0U};
  const auto body_at = static_cast<std::size_t>(ip.body.data() - arrival.frame.data());
  FragmentTable::Added added = fragments_.add(arrival.packet, key, ip, body_at, scratch_);
  if (added.whole.empty()) return added.verdict;

  IpPacket joined = ip;
  joined.fragment = {};
  joined.fragmented = false;
  joined.protocol = added.protocol;
  joined.body = added.whole;
  if (ip.version == 6) {
    // judge_fragment() has seen in the first fragment that these headers lead to UDP. They are not
    // believed twice: a device that shares memory with its peer may have changed them.
    const auto parsed = skip_extension_headers(joined, false);
    if (!parsed || parsed->protocol != kProtocolUdp) {
      added.verdict.fate = PacketFate::kBadExtensionHeader;
      return added.verdict;
    }
    joined = *parsed;
  }
  added.verdict.fate = parse_udp(joined, true, out);
  return added.verdict;
}

}  // namespace penstock
