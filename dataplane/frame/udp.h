// UDP (RFC 768; over IPv6 RFC 8200, 8.1).
#pragma once

#include "dataplane/frame/datagram.h"
#include "dataplane/frame/ip_packet.h"
#include "dataplane/ledger/fates.h"

namespace penstock {

inline constexpr std::size_t kUdpBytes = 8;

// Fills `out` but for the time: kDecoded, kBadUdpLength or kBadUdpChecksum. Bytes of packet.body
// behind the stated UDP length are none of ours. A checksum of zero is "not made": allowed over
// IPv4 only.
[[nodiscard]] PacketFate parse_udp(const IpPacket& packet, bool verify_checksum, Datagram& out);

}  // namespace penstock
