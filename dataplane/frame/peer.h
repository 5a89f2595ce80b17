// The other end of a datagram as a port sees it: who sent it, and how an answer gets there.
#pragma once

#include <array>

#include "dataplane/frame/datagram.h"
#include "dataplane/frame/ethernet_frame.h"

namespace penstock {

struct Peer {
  IpAddress address;
  IpAddress local;
  std::uint16_t port = 0;         // host order
  std::uint16_t local_port = 0;   // host order
  std::uint16_t port_number = 0;  // the node's port that it came by
  std::uint16_t link_bytes = 0;   // 0: not known, nothing can be sent
  // The Ethernet header of an answer: to the peer, from us, the same VLAN tags.
  std::array<std::byte, kEthernetBytesMax> link{};

  // Whether a datagram came from there, to the same end of ours.
  [[nodiscard]] bool sent(const Datagram& datagram) const {
    return port == datagram.source_port && address == datagram.source &&
           local_port == datagram.destination_port && local == datagram.destination;
  }
};

// `link` is the Ethernet header of the frame that brought the datagram, empty when it was put
// together from fragments; `ours` answers what came to a group.
[[nodiscard]] Peer peer_of(const Datagram& datagram, std::span<const std::byte> link,
                           const EthernetAddress& ours, std::uint16_t port_number);

// Bytes in front of the payload of a datagram to this peer.
[[nodiscard]] std::size_t datagram_head_bytes(const Peer& peer);

// Writes Ethernet, IP and UDP headers in front of the payload, which is `frame` from
// datagram_head_bytes() on. The packet may not be fragmented on its way.
void write_datagram_head(std::span<std::byte> frame, const Peer& peer);
// Copies the payload behind such headers; `frame` has room for exactly both.
void write_datagram(std::span<std::byte> frame, const Peer& peer,
                    std::span<const std::byte> payload);

}  // namespace penstock
