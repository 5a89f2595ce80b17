#include "dataplane/frame/responder.h"

#include <algorithm>
#include <array>
#include <optional>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "base/check.h"
#include "dataplane/frame/checksum.h"
#include "dataplane/frame/packet_bytes.h"
#include "dataplane/frame/wire.h"

namespace penstock {
namespace {

constexpr std::uint8_t kHopLimit = 64;         // of an echo reply
constexpr std::uint8_t kHopLimitOnLink = 255;  // RFC 4861: nobody has forwarded it
constexpr EthernetAddress kAllNodesEthernet{std::byte{0x33}, std::byte{0x33}, std::byte{0},
                                            std::byte{0},    std::byte{0},    std::byte{1}};

// ARP over Ethernet for IPv4: types and lengths 6 | operation 2 | sender: Ethernet 6, IP 4 |
// target: the same
constexpr std::size_t kArpBytes = 28;
constexpr std::uint64_t kArpTypes = 0x0001'0800'0604;
constexpr std::uint16_t kArpRequest = 1;
constexpr std::uint16_t kArpReply = 2;

// ICMP: type 1 | code 1 | checksum 2 | four bytes that depend on the type
constexpr std::size_t kIcmpBytes = 8;
constexpr std::uint8_t kEchoRequest = 8;
constexpr std::uint8_t kEchoReply = 0;
constexpr std::uint8_t kEchoRequest6 = 128;
constexpr std::uint8_t kEchoReply6 = 129;

// Solicitation and advertisement: ICMP header | target 16 | options: type 1 | length / 8: 1 | data
constexpr std::uint8_t kSolicitation = 135;
constexpr std::uint8_t kAdvertisement = 136;
constexpr std::size_t kNeighbourBytes = kIcmpBytes + 16;
constexpr std::uint8_t kSourceLinkOption = 1;
constexpr std::uint8_t kTargetLinkOption = 2;
constexpr std::size_t kLinkOptionBytes = 8;
constexpr std::uint32_t kSolicited = 0x4000'0000;
constexpr std::uint32_t kOverride = 0x2000'0000;

// The longest head that is rewritten: a neighbour advertisement.
constexpr std::size_t kHeadBytesMax =
    kEthernetBytesMax + kIpv6Bytes + kNeighbourBytes + kLinkOptionBytes;
using Head = std::array<std::byte, kHeadBytesMax>;

// The request's first bytes, with Ethernet turned round: from us to `to`.
Head turned_round(const Request& request, const EthernetAddress& to, const EthernetAddress& ours) {
  Head head{};
  std::copy_n(request.frame.begin(), std::min(request.frame.size(), head.size()), head.begin());
  store(head.data(), to);
  store(head.data() + 6, ours);
  return head;
}

void set_checksum(std::byte* at, ChecksumSum sum) { store(at, checksum_finish(sum)); }

bool is_station(const EthernetAddress& address) {
  return !is_group(address) && address != EthernetAddress{};
}

struct LinkOptions {
  bool well_formed = true;
  std::optional<EthernetAddress> source;
};

LinkOptions read_options(std::span<const std::byte> options) {
  LinkOptions found;
  while (!options.empty()) {
    const std::size_t length = options.size() < 2 ? 0 : octet(&options[1]) * 8U;
    if (length == 0 || length > options.size()) return {.well_formed = false, .source = {}};
    if (octet(options.data()) == kSourceLinkOption && length == kLinkOptionBytes) {
      found.source = load<EthernetAddress>(&options[2]);
    }
    options = options.subspan(length);
  }
  return found;
}

// What RFC 4861, 7.1.1 asks of a solicitation, but for its checksum.
bool solicitation_good(const IpPacket& ip, const IpAddress& target, const LinkOptions& options) {
  if (ip.hop_limit != kHopLimitOnLink || octet(&ip.body[1]) != 0) return false;
  if (target.is_multicast() || !options.well_formed) return false;
  if (options.source && !is_station(*options.source)) return false;
  if (ip.source != IpAddress{}) return true;
  return !options.source && ip.destination == solicited_node(target);
}

}  // namespace

PacketFate Responder::answer_arp(const Request& request) {
  const std::size_t at = request.ethernet.header_bytes;
  if (request.frame.size() < at + kArpBytes) return PacketFate::kBadArp;
  const std::byte* arp = &request.frame[at];
  const auto sender = load<EthernetAddress>(arp + 8);
  const auto sender_ip = IpAddress::v4(load<std::uint32_t>(arp + 14));
  const auto target_ip = IpAddress::v4(load<std::uint32_t>(arp + 24));
  const std::uint64_t types = std::uint64_t{load_be32(arp)} << 16U | load_be16(arp + 4);
  const bool has_address = sender_ip != IpAddress::v4(0);  // a probe has none (RFC 5227)
  if (types != kArpTypes || !is_station(sender) ||
      (has_address && !is_possible_source(sender_ip))) {
    return PacketFate::kBadArp;
  }
  // An announcement of our address by somebody else is no question.
  if (load_be16(arp + 6) != kArpRequest || !addresses_.is_ours(target_ip) ||
      sender_ip == target_ip) {
    return PacketFate::kArpOther;
  }
  Head head = turned_round(request, sender, addresses_.ethernet());
  std::byte* reply = head.data() + at;
  store_be16(reply + 6, kArpReply);
  store(reply + 8, addresses_.ethernet());
  std::copy_n(arp + 24, 4, reply + 14);
  std::copy_n(arp + 8, 10, reply + 18);
  return send(request, std::span(head).first(at + kArpBytes), false, PacketFate::kArpAnswered);
}

PacketFate Responder::answer_icmp(const Request& request, const IpPacket& ip) {
  if (ip.fragmented) return PacketFate::kIcmpOther;
  if (ip.body.size() < kIcmpBytes || !checksum_good(checksum_add(0, ip.body))) {
    return PacketFate::kBadIcmp;
  }
  const bool echo = octet(ip.body.data()) == kEchoRequest && octet(&ip.body[1]) == 0;
  return echo ? answer_echo(request, ip) : PacketFate::kIcmpOther;
}

PacketFate Responder::answer_icmpv6(const Request& request, const IpPacket& ip) {
  if (ip.fragmented) return PacketFate::kIcmpOther;
  if (ip.body.size() < kIcmpBytes ||
      !checksum_good(
          checksum_add(pseudo_header_sum(ip, kProtocolIcmpv6, ip.body.size()), ip.body))) {
    return PacketFate::kBadIcmp;
  }
  switch (octet(ip.body.data())) {
    case kSolicitation: return answer_solicitation(request, ip);
    case kEchoRequest6:
      if (ip.source == IpAddress{}) return PacketFate::kBadSource;
      return octet(&ip.body[1]) == 0 ? answer_echo(request, ip) : PacketFate::kIcmpOther;
    default: return PacketFate::kIcmpOther;
  }
}

PacketFate Responder::answer_echo(const Request& request, const IpPacket& ip) {
  if (!ip.plain || !addresses_.is_ours(ip.destination) || !is_station(request.ethernet.source)) {
    return PacketFate::kIcmpOther;
  }
  const bool v4 = ip.version == 4;
  const std::size_t at = request.ethernet.header_bytes;
  const std::size_t icmp_at = at + (v4 ? kIpv4Bytes : kIpv6Bytes);
  Head head = turned_round(request, request.ethernet.source, addresses_.ethernet());
  std::byte* header = head.data() + at;
  std::byte* const source = header + (v4 ? 12 : 8);
  const std::size_t address_bytes = v4 ? 4 : 16;
  std::swap_ranges(source, source + address_bytes, source + address_bytes);
  if (v4) {
    store_be16(header + 6, 0);  // a whole packet
    header[8] = std::byte{kHopLimit};
    store_be16(header + 10, 0);
    set_checksum(header + 10, header_sum<kIpv4Bytes>(header));
  } else {
    header[7] = std::byte{kHopLimit};
  }
  // Not derived from the old checksum (RFC 1624): that goes wrong where all that is summed is zero.
  std::byte* icmp = head.data() + icmp_at;
  icmp[0] = std::byte{v4 ? kEchoReply : kEchoReply6};
  const ChecksumSum pseudo = v4 ? 0 : pseudo_header_sum(ip, kProtocolIcmpv6, ip.body.size());
  set_checksum(icmp + 2, checksum_add(checksum_add_word(pseudo, load<std::uint16_t>(icmp)),
                                      ip.body.subspan(4)));
  return send(request, std::span(head).first(icmp_at + kIcmpBytes), false,
              PacketFate::kEchoAnswered);
}

PacketFate Responder::answer_solicitation(const Request& request, const IpPacket& ip) {
  if (ip.body.size() < kNeighbourBytes) return PacketFate::kBadIcmp;
  IpAddress target;
  target.bytes = load<std::array<std::byte, 16>>(&ip.body[kIcmpBytes]);
  const LinkOptions options = read_options(ip.body.subspan(kNeighbourBytes));
  if (!solicitation_good(ip, target, options)) return PacketFate::kBadIcmp;
  // An IPv4-mapped target would find our IPv4 address.
  if (!ip.plain || target.is_v4() || !addresses_.is_ours(target)) return PacketFate::kIcmpOther;

  const bool asker_has_address = ip.source != IpAddress{};
  const EthernetAddress to =
      asker_has_address ? options.source.value_or(request.ethernet.source) : kAllNodesEthernet;
  if (asker_has_address && !is_station(to)) return PacketFate::kIcmpOther;
  const IpAddress to_ip = asker_has_address ? ip.source : all_nodes_on_link();
  const std::size_t at = request.ethernet.header_bytes;
  constexpr std::size_t kLength = kNeighbourBytes + kLinkOptionBytes;
  Head head = turned_round(request, to, addresses_.ethernet());
  std::byte* header = head.data() + at;
  store_be16(header + 4, kLength);
  header[7] = std::byte{kHopLimitOnLink};
  store(header + 8, target.bytes);
  store(header + 24, to_ip.bytes);
  std::byte* icmp = header + kIpv6Bytes;
  store_be32(icmp, kAdvertisement << 24U);
  store_be32(icmp + 4, kOverride | (asker_has_address ? kSolicited : 0));
  store(icmp + kIcmpBytes, target.bytes);
  icmp[kNeighbourBytes] = std::byte{kTargetLinkOption};
  icmp[kNeighbourBytes + 1] = std::byte{1};
  store(icmp + kNeighbourBytes + 2, addresses_.ethernet());
  IpPacket advertisement;
  advertisement.version = 6;
  advertisement.source = target;
  advertisement.destination = to_ip;
  set_checksum(icmp + 2,
               checksum_add_words(pseudo_header_sum(advertisement, kProtocolIcmpv6, kLength),
                                  {icmp, kLength}));
  return send(request, std::span(head).first(at + kIpv6Bytes + kLength), true,
              PacketFate::kNeighbourAnswered);
}

PacketFate Responder::send(const Request& request, std::span<const std::byte> head, bool alone,
                           PacketFate answered) {
  rte_mbuf& packet = request.packet;
  const bool chained = packet.nb_segs != 1;
  const std::size_t room =
      alone ? std::size_t{packet.buf_len} - packet.data_off : std::size_t{packet.data_len};
  const bool stripped = (packet.ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0;
  const bool taggable = RTE_MBUF_DIRECT(&packet) && packet.data_off >= kVlanTagBytes;
  if ((chained && (alone || !transmit_chained_)) || room < head.size() ||
      rte_mbuf_refcnt_read(&packet) != 1 || (stripped && !taggable)) {
    return PacketFate::kNoBuffer;
  }
  TokenBucket& limit = answered == PacketFate::kEchoAnswered ? echoes_ : questions_;
  if (!limit.take(now_)) return PacketFate::kAnswerLimited;
  std::ranges::copy(head, rte_pktmbuf_mtod(&packet, std::byte*));
  if (alone) {
    packet.data_len = static_cast<std::uint16_t>(head.size());
    packet.pkt_len = packet.data_len;
  }
  rte_mbuf* tagged = &packet;
  if (stripped) CHECK_EQ(rte_vlan_insert(&tagged), 0);
  return answered;
}

}  // namespace penstock
