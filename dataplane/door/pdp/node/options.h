// What a shard's PDP node is told at its start.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "dataplane/door/pdp/cookie.h"
#include "dataplane/door/pdp/key_ring.h"
#include "dataplane/door/pdp/wire.h"
#include "dataplane/frame/ip_network.h"
#include "dataplane/frame/peer.h"
#include "dataplane/frame/udp.h"

namespace penstock::pdp {

struct NodeOptions {
  std::uint16_t shard = 0;
  std::uint16_t shards = 1;
  std::uint64_t boot = 0;  // random; the same on all shards, as is the next
  CookieSecret cookie_secret{};
  std::size_t origin = 0;             // number of the door in the books
  std::size_t sessions = 4096;        // open at once
  std::size_t hold_bytes = 8 * kMiB;  // for frames that came before their turn
  std::uint32_t credit_bytes = 4 * kMiB;
  std::int64_t idle_ns = 60 * kNanosPerSecond;
  std::uint32_t answers_per_second = 100'000;  // to those who have not proved their address
  std::string successor;                       // endpoint for GO_AWAY; empty: none
  const KeyRing* keys = nullptr;               // none: no producer can use one
  std::vector<IpNetwork> key_networks;         // addresses that have to use a key

  struct Port {
    EthernetAddress ethernet{};
    std::uint32_t mtu = 1500;
  };
  std::vector<Port> ports;  // of the node, by number
};

// The longest frame that comes whole from this peer.
[[nodiscard]] inline std::uint16_t frame_bytes_max(const Peer& peer, const NodeOptions& options) {
  const std::size_t head = peer.address.is_v4() ? kIpv4Bytes + kUdpBytes : kIpv6Bytes + kUdpBytes;
  const std::size_t most = options.ports[peer.port_number].mtu - head;
  return static_cast<std::uint16_t>(std::clamp(most, kSmallFrameBytesMax, kFrameBytesMax));
}

}  // namespace penstock::pdp
