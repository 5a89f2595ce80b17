// What can become of a packet and of a message. Each is counted under exactly one fate; the sums
// balance:
//
//   received packets = decoded + ignored[fate] + malformed[fate] + held
//   offered messages = stored + dropped[fate] + in flight
//
// One table a kind, tied to its enum: the books, the metrics, the command line and docs/metrics.md
// all take names and help from here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock {

enum class FateClass : std::uint8_t { kGood, kAnswered, kIgnored, kMalformed, kDropped };

struct FateInfo {
  std::string_view name;
  FateClass of;
  std::string_view help;
};

enum class PacketFate : std::uint8_t {
  kDecoded,
  kArpAnswered,
  kNeighbourAnswered,
  kEchoAnswered,
  kAnswerLimited,
  kOtherEthernetAddress,
  kOtherEtherType,
  kArpOther,
  kOtherAddress,
  kOtherProtocol,
  kIcmpOther,
  kNoDoor,
  kFragmentExpired,
  kFragmentTableFull,
  kNoBuffer,
  kTruncatedEthernet,
  kVlanTooDeep,
  kBadArp,
  kBadIpHeader,
  kBadIpChecksum,
  kBadIpLength,
  kBadSource,
  kBadExtensionHeader,
  kBadFragment,
  kBadIcmp,
  kBadUdpLength,
  kBadUdpChecksum,
  kCount,
};

enum class MessageFate : std::uint8_t {
  kStored,
  kNoStream,
  kCapturesFull,
  kTooLarge,
  kDriveSlow,
  kVolumeFull,
  kVolumeFailed,
  kCount,
};

inline constexpr std::size_t kPacketFates = static_cast<std::size_t>(PacketFate::kCount);
inline constexpr std::size_t kMessageFates = static_cast<std::size_t>(MessageFate::kCount);

inline constexpr std::array<FateInfo, kPacketFates> kPacketFateInfo{
    {
     {"decoded", FateClass::kGood, "became (part of) a datagram that a front door took"},
     {"arp_answered", FateClass::kAnswered,
         "ARP request for one of the port's addresses, answered"},
     {"neighbour_answered", FateClass::kAnswered,
         "IPv6 neighbour solicitation for one of the port's addresses, answered"},
     {"echo_answered", FateClass::kAnswered, "ICMP or ICMPv6 echo request, answered"},
     {"answer_limited", FateClass::kIgnored,
         "a request that was not answered: answer_limit reached or the transmit queue full"},
     {"other_ethernet_address", FateClass::kIgnored,
         "sent to another station's Ethernet address"},
     {"other_ethertype", FateClass::kIgnored, "neither IPv4, IPv6 nor ARP"},
     {"arp_other", FateClass::kIgnored,
         "ARP that asks for an address that is not the port's, or a reply"},
     {"other_address", FateClass::kIgnored, "sent to an IP address that is not the port's"},
     {"other_protocol", FateClass::kIgnored, "IP, but neither UDP nor an echo request"},
     {"icmp_other", FateClass::kIgnored, "ICMP or ICMPv6 that asks for nothing we answer"},
     {"no_door", FateClass::kIgnored,
         "UDP to an address and port where no front door listens, or of a host that has no address "
         "yet"},
     {"fragment_expired", FateClass::kIgnored,
         "fragments whose rest did not come in time, or before the node's end"},
     {"fragment_table_full", FateClass::kIgnored,
         "fragments given up, oldest first, because more were held than the port's `fragments` "
         "allows"},
     {"no_buffer", FateClass::kIgnored,
         "no packet buffer or room to put a chained packet together"},
     {"truncated_ethernet", FateClass::kMalformed, "shorter than its Ethernet and VLAN headers"},
     {"vlan_too_deep", FateClass::kMalformed, "more than two VLAN tags"},
     {"bad_arp", FateClass::kMalformed, "ARP with wrong types or lengths"},
     {"bad_ip_header", FateClass::kMalformed,
         "IP version, header length or options contradict each other"},
     {"bad_ip_checksum", FateClass::kMalformed, "IPv4 header checksum is wrong"},
     {"bad_ip_length", FateClass::kMalformed, "IP says more bytes than the frame has"},
     {"bad_source", FateClass::kMalformed,
         "from an IP address that no sender has: multicast, broadcast, loopback or unspecified"},
     {"bad_extension_header", FateClass::kMalformed,
         "IPv6 extension headers that run out of the packet, are too many, or route through us"},
     {"bad_fragment", FateClass::kMalformed,
         "fragment that overlaps or repeats another, is empty, one of too many, or passes 65,535 "
         "bytes; and the others of its datagram"},
     {"bad_icmp", FateClass::kMalformed, "ICMP or ICMPv6 too short or with a wrong checksum"},
     {"bad_udp_length", FateClass::kMalformed, "UDP length under 8 or over what IP carries"},
     {"bad_udp_checksum", FateClass::kMalformed, "UDP checksum is wrong, or missing on IPv6"},
     }
};

inline constexpr std::array<FateInfo, kMessageFates> kMessageFateInfo{
    {
     {"stored", FateClass::kGood, "durable on the volume"},
     {"no_stream", FateClass::kDropped,
         "no stream's subjects match; declare a stream that captures it"},
     {"captures_full", FateClass::kDropped,
         "captured by one more combination of streams than a shard remembers, 4,096, or by a "
         "stream that its log has no room for; let fewer streams overlap"},
     {"too_large", FateClass::kDropped,
         "larger than a block can hold; raise the volume's block_bytes"},
     {"drive_slow", FateClass::kDropped,
         "all block memory waits for the drive; the drive is slower than the wire"},
     {"volume_full", FateClass::kDropped,
         "no free segment: raise capacity, or let retention delete older ones"},
     {"volume_failed", FateClass::kDropped,
         "writes to the volume fail; see the log for the drive's error"},
     }
};

[[nodiscard]] constexpr const FateInfo& info(PacketFate f) {
  return kPacketFateInfo[static_cast<std::size_t>(f)];
}
[[nodiscard]] constexpr const FateInfo& info(MessageFate f) {
  return kMessageFateInfo[static_cast<std::size_t>(f)];
}

}  // namespace penstock
