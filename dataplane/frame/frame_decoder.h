// From a received packet to the UDP datagram in it, to the answer it asks for, or to the reason why
// neither.
//
//   decoder.advance(now)                               once a burst
//   decoder.decode(packet, received, datagram)         for each packet of it
//
// Both return a Verdict; put into the books as it is, received = sum of all fates + held() at every
// moment. With kDecoded `datagram` is filled (the caller may still find that no front door listens,
// and counts the same packets and bytes under kNoDoor); with a fate of FateClass::kAnswered the
// packet has become the answer, to be transmitted on the same queue (or, if the queue is full,
// counted under kAnswerLimited and freed).
//
// Ownership: decode() sets `packet` to null when it took the packet (a fragment); else it stays the
// caller's, who frees it when the datagram was taken. A payload lies in the packet itself, but for
// chained packets and fragments: those are put together in the decoder's own memory (the one place
// where a packet is copied before the block), and live until the next decode().
//
// What is accepted:
// - Ethernet to us or to a group, any VLAN, at most two tags.
// - UDP over IPv4 or IPv6 to one of our addresses, to a broadcast address of ours, or to a group
// that a front door
//   listens to; with `any_address` (a mirror port) to any. Padding behind IP's and UDP's own
//   lengths is cut off.
// - Checksums: a packet that the device found good is believed; with `verify_checksums` what it did
// not look at is
//   verified here. What it found bad is verified here always, since devices err (zero UDP
//   checksums), and so is every datagram from fragments, since identifications wrap (RFC 4963).
#pragma once

#include <memory>
#include <vector>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/frame/datagram.h"
#include "dataplane/frame/ethernet_frame.h"
#include "dataplane/frame/fragment_table.h"
#include "dataplane/frame/ip_packet.h"
#include "dataplane/frame/packet_bytes.h"
#include "dataplane/frame/port_addresses.h"
#include "dataplane/frame/responder.h"
#include "dataplane/frame/udp.h"
#include "dataplane/frame/verdict.h"
#include "dataplane/frame/wire.h"

namespace penstock {

struct FrameOptions {
  EthernetAddress ethernet_address{};
  std::vector<PortAddress> addresses;
  std::vector<IpAddress> groups;  // multicast groups that front doors listen to
  bool any_address = false;       // also what goes to other stations; nothing of that is answered
  bool verify_checksums = true;
  FragmentTableOptions fragments;
  ResponderOptions answers;
};

// Brings a packet's headers towards the cache; some packets ahead of decode().
inline void prefetch_frame(const rte_mbuf* packet) {
  constexpr std::uint16_t kBytesMost = 384;  // further on the processor sees for itself
  const auto* bytes = first_bytes(*packet);
  const std::uint16_t end = std::min(packet->data_len, kBytesMost);
  for (std::uint16_t at = 0; at < end; at += RTE_CACHE_LINE_SIZE) rte_prefetch0(bytes + at);
}

// Of one queue of one port. One thread. Memory is taken by the constructor only.
class FrameDecoder {
 public:
  explicit FrameDecoder(const FrameOptions& options);
  FrameDecoder(const FrameDecoder&) = delete;
  FrameDecoder& operator=(const FrameDecoder&) = delete;

  // Moves the clock of fragments and answers; tells of fragments that were given up.
  [[nodiscard]] Verdict advance(MonotonicNanos now);

  [[nodiscard]] Verdict decode(rte_mbuf*& packet, UnixNanos received, Datagram& out) {
    out.received = received;
    if (decode_plain(*packet, out)) [[likely]]
      return {PacketFate::kDecoded, 1, packet->pkt_len};
    return decode_any(packet, out);
  }

  // No packet comes any more: tells of the fragments that still waited for their rest.
  [[nodiscard]] Verdict give_up() { return fragments_.give_up_all(); }

  // Fragments that wait for their rest.
  [[nodiscard]] const Tally& held() const { return fragments_.held(); }

 private:
  struct Arrival {
    rte_mbuf*& packet;
    std::span<const std::byte> frame;
    EthernetFrame ethernet;
    std::uint32_t bytes;  // as received: an answer may be longer or shorter
    bool to_us = true;    // or to a group; false only with any_address
  };

  [[nodiscard]] bool decode_plain(const rte_mbuf& packet, Datagram& out) const;
  [[nodiscard]] bool plain_checksums_good(const rte_mbuf& packet, std::size_t udp_bytes) const;
  [[nodiscard]] Verdict decode_any(rte_mbuf*& packet, Datagram& out);
  [[nodiscard]] Verdict decode_ip(const Arrival& arrival, Datagram& out);
  // kDecoded: from and to whom the packet goes is no reason to refuse it.
  [[nodiscard]] PacketFate judge_ends(const IpPacket& ip, Destination to) const;
  [[nodiscard]] PacketFate decode_whole(const Arrival& arrival, const IpPacket& ip, Datagram& out);
  [[nodiscard]] Verdict decode_fragment(const Arrival& arrival, const IpPacket& ip, Datagram& out);
  [[nodiscard]] std::span<const std::byte> in_one_piece(const rte_mbuf& packet);
  [[nodiscard]] bool takes_udp(Destination to) const;
  [[nodiscard]] bool verify_ip(const rte_mbuf& packet) const;
  [[nodiscard]] bool verify_udp(const rte_mbuf& packet) const;

  const bool any_address_;
  const bool verify_checksums_;
  const PortAddresses addresses_;
  std::uint64_t ethernet_ = 0;       // our address as the first bytes of a frame are loaded
  std::uint64_t ethernet_mask_ = 0;  // zero: any
  std::uint32_t address_v4_;         // our first in network order; without one 255.255.255.255
  Responder responder_;
  FragmentTable fragments_;
  std::vector<std::byte> scratch_;
};

// The packet that nearly all are: one buffer, no VLAN, IPv4 without options or fragments, UDP, to
// us, all lengths and checksums right. Whatever is different is judged in decode_any(), from the
// start.
inline bool FrameDecoder::decode_plain(const rte_mbuf& packet, Datagram& out) const {
  constexpr std::size_t kIpAt = kEthernetBytes;
  constexpr std::size_t kUdpAt = kIpAt + kIpv4Bytes;
  constexpr std::size_t kPayloadAt = kUdpAt + kUdpBytes;
  constexpr std::uint64_t kToEveryStation = 0x0000FFFFFFFFFFFFULL;  // ff:ff:ff:ff:ff:ff
  constexpr std::uint64_t kChecksums = RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK;
  constexpr std::uint64_t kGood = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  if (packet.nb_segs != 1 || packet.data_len < kPayloadAt) return false;
  const std::byte* frame = first_bytes(packet);
  const std::uint64_t to = load<std::uint64_t>(frame);
  // EtherType 0x0800, version 4, five words of header.
  const std::uint32_t kind = load<std::uint32_t>(frame + 12) & 0x00FFFFFFU;
  const std::uint32_t destination = load<std::uint32_t>(frame + kIpAt + 16);
  const bool to_station =
      ((to ^ ethernet_) & ethernet_mask_) == 0 || (to & kToEveryStation) == kToEveryStation;
  if (!to_station || kind != 0x00450008U || (destination != address_v4_ && !any_address_)) {
    return false;
  }
  const std::uint16_t fragment = load<std::uint16_t>(frame + kIpAt + 6) & 0xFF3FU;
  const std::uint8_t from = octet(frame + kIpAt + 12);
  if (fragment != 0 || octet(frame + kIpAt + 9) != kProtocolUdp || from - 1U >= 223U ||
      from == 127) {
    return false;
  }
  const std::size_t ip_bytes = load_be16(frame + kIpAt + 2);
  const std::size_t udp_bytes = load_be16(frame + kUdpAt + 4);
  if (ip_bytes + kIpAt > packet.data_len || udp_bytes < kUdpBytes ||
      udp_bytes + kIpv4Bytes > ip_bytes) {
    return false;
  }
  const std::uint64_t checksums = packet.ol_flags & kChecksums;
  if (checksums != kGood && (verify_checksums_ || checksums != 0) &&
      !plain_checksums_good(packet, udp_bytes)) {
    return false;
  }
  out.payload = {frame + kPayloadAt, udp_bytes - kUdpBytes};
  out.source = IpAddress::v4(load<std::uint32_t>(frame + kIpAt + 12));
  out.destination = IpAddress::v4(destination);
  out.source_port = load_be16(frame + kUdpAt);
  out.destination_port = load_be16(frame + kUdpAt + 2);
  return true;
}

}  // namespace penstock
