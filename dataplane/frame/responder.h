// Answers what a host must answer to be reachable, by rewriting the request in place:
//
//   ARP request for one of our addresses (RFC 826)           -> reply
//   IPv6 neighbour solicitation for one (RFC 4861, 7.1.1)    -> advertisement; to all nodes if the
//   asker has no
//                                                               address yet (duplicate address
//                                                               detection)
//   ICMP and ICMPv6 echo request to one (RFC 792, RFC 4443)  -> echo reply
//
// Nothing else is answered: no echo to broadcast or multicast (RFC 1122, 3.2.2.6, allows silence;
// an answer would amplify), none to a group's Ethernet address, none with IP options or extension
// headers, none in fragments, and no ICMP errors. VLAN tags are kept, one that the device stripped
// is put back.
//
// Echoes have a rate limit of their own, so that a flood of them leaves the port reachable.
#pragma once

#include <cstddef>
#include <span>

#include "dataplane/frame/ethernet_frame.h"
#include "dataplane/frame/ip_packet.h"
#include "dataplane/frame/port_addresses.h"
#include "dataplane/frame/token_bucket.h"
#include "dataplane/ledger/fates.h"

struct rte_mbuf;

namespace penstock {

struct ResponderOptions {
  std::uint32_t answers_per_second = 1000;  // of questions, and of echoes; 0: none
  std::uint32_t burst = 64;
  bool transmit_chained = false;  // the device takes packets of several buffers; else only short
                                  // echoes
};

// A packet that may ask for an answer.
struct Request {
  rte_mbuf& packet;
  std::span<const std::byte> frame;  // its bytes in one piece: its own memory, or a copy if it is
                                     // chained
  const EthernetFrame& ethernet;
};

// One thread. `addresses` outlive it.
class Responder {
 public:
  Responder(const PortAddresses& addresses, const ResponderOptions& options)
      : addresses_(addresses),
        questions_(options.answers_per_second, options.burst),
        echoes_(options.answers_per_second, options.burst),
        transmit_chained_(options.transmit_chained) {}

  void advance(MonotonicNanos now) { now_ = now; }

  // Each returns k...Answered when the packet now is the answer, and otherwise leaves it alone:
  // kArpOther or kIcmpOther (not for us), kBadArp or kBadIcmp, kAnswerLimited, kNoBuffer (the
  // answer doesn't fit into its first buffer, or is chained and must not be).
  [[nodiscard]] PacketFate answer_arp(const Request& request);
  [[nodiscard]] PacketFate answer_icmp(const Request& request, const IpPacket& ip);
  [[nodiscard]] PacketFate answer_icmpv6(const Request& request, const IpPacket& ip);

 private:
  [[nodiscard]] PacketFate answer_echo(const Request& request, const IpPacket& ip);
  [[nodiscard]] PacketFate answer_solicitation(const Request& request, const IpPacket& ip);
  // Writes `head` over the start of the packet; with `alone` it is all of the packet.
  [[nodiscard]] PacketFate send(const Request& request, std::span<const std::byte> head, bool alone,
                                PacketFate answered);

  const PortAddresses& addresses_;
  TokenBucket questions_;
  TokenBucket echoes_;
  MonotonicNanos now_;
  bool transmit_chained_;
};

}  // namespace penstock
