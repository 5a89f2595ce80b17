// What can become of a packet and of a message. Each is counted under exactly one fate; the sums
// balance:
//
//   received packets = decoded + ignored[fate] + malformed[fate] + held
//   offered messages = stored + dropped[fate] + in flight
//   PDP frames       = taken + answered + ignored[fate] + malformed[fate] + held
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
  kBadSubject,
  kNoStream,
  kCapturesFull,
  kTooLarge,
  kDriveSlow,
  kVolumeFull,
  kVolumeFailed,
  kCount,
};

// A frame of a door of kind "pdp" (docs/pdp.md).
enum class FrameFate : std::uint8_t {
  kTaken,
  kSkipTaken,
  kHelloAnswered,
  kOpenAccepted,
  kControl,
  kRejected,
  kDuplicate,
  kOverlap,
  kOverCredit,
  kNoRoom,
  kPushedBack,
  kUnknownConnection,
  kOpenRefused,
  kOpenStale,
  kNoAnswer,
  kHandedOver,
  kNotHandedOver,
  kTruncated,
  kBadMagic,
  kBadLength,
  kBadType,
  kBadField,
  kBadRun,
  kBadCookie,
  kUnsealed,
  kBadSeal,
  kReplayed,
  kCount,
};

inline constexpr std::size_t kFrameFates = static_cast<std::size_t>(FrameFate::kCount);
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
     {"bad_subject", FateClass::kDropped,
         "its producer gave a subject that is none: a wildcard, an empty token, or too long"},
     {"no_stream", FateClass::kDropped,
         "no stream's subjects match; declare a stream that captures it"},
     {"captures_full", FateClass::kDropped,
         "captured by more than 32 streams, by one more combination of streams than a shard "
         "remembers, or by one more stream than its log has known, 16,384 of each; let fewer "
         "streams overlap"},
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

inline constexpr std::array<FateInfo, kFrameFates> kFrameFateInfo{
    {
     {"taken", FateClass::kGood, "DATA whose messages were received"},
     {"skip_taken", FateClass::kGood, "SKIP: its sequences will not come"},
     {"hello_answered", FateClass::kAnswered, "HELLO, answered with a cookie"},
     {"open_accepted", FateClass::kAnswered, "OPEN, accepted: new, or repeated"},
     {"control", FateClass::kAnswered, "PING, CLOSE, SUBJECT or RESPONSE of an open session"},
     {"rejected", FateClass::kIgnored,
         "DATA that can never be stored: no stream captures its subject, the subject is none, or "
         "there are too many combinations of streams; the producer is told, unless its level is "
         "none"},
     {"duplicate", FateClass::kIgnored, "all of its messages were received before"},
     {"overlap", FateClass::kIgnored,
         "some of its messages were received before, and others not"},
     {"over_credit", FateClass::kIgnored, "beyond what the session may have under way"},
     {"no_room", FateClass::kIgnored,
         "came before its turn, and there is no memory to keep it; raise the door's hold"},
     {"pushed_back", FateClass::kIgnored,
         "the log takes nothing now; the producer keeps it and sends it again"},
     {"unknown_connection", FateClass::kIgnored,
         "of a session that is not open here: after a restart, or idle for too long"},
     {"open_refused", FateClass::kIgnored,
         "OPEN that was refused: no room for another session, or not with the key it has"},
     {"open_stale", FateClass::kIgnored,
         "OPEN whose cookie is too old, or older than that of the session's last one"},
     {"no_answer", FateClass::kIgnored,
         "to be answered, and could not be: too many at once, no buffer, or no way back"},
     {"handed_over", FateClass::kIgnored,
         "of a session of another shard, which counts it again"},
     {"not_handed_over", FateClass::kIgnored,
         "of a session of another shard, which was too busy to take it"},
     {"truncated", FateClass::kMalformed, "shorter than its header or its type"},
     {"bad_magic", FateClass::kMalformed, "no PDP, or of another version"},
     {"bad_length", FateClass::kMalformed, "its length is not that of the datagram"},
     {"bad_type", FateClass::kMalformed, "a type that does not exist or that only a node sends"},
     {"bad_field", FateClass::kMalformed, "a number or a reserved field that may not be so"},
     {"bad_run", FateClass::kMalformed,
         "DATA whose messages contradict their lengths or the rules of a run"},
     {"bad_cookie", FateClass::kMalformed, "OPEN with a cookie that was not made for it"},
     {"unsealed", FateClass::kMalformed, "without a seal, of a session that has a key"},
     {"bad_seal", FateClass::kMalformed, "its seal is not made with the session's key"},
     {"replayed", FateClass::kMalformed, "its packet number came before, or is too old to tell"},
     }
};

[[nodiscard]] constexpr const FateInfo& info(FrameFate f) {
  return kFrameFateInfo[static_cast<std::size_t>(f)];
}
[[nodiscard]] constexpr const FateInfo& info(PacketFate f) {
  return kPacketFateInfo[static_cast<std::size_t>(f)];
}
[[nodiscard]] constexpr const FateInfo& info(MessageFate f) {
  return kMessageFateInfo[static_cast<std::size_t>(f)];
}

}  // namespace penstock
