#include "perf/ring/looped_packets.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "base/check.h"

namespace penstock::ring {

std::vector<std::byte> packet_of(const std::string& payload, std::uint16_t port) {
  constexpr std::size_t kHeads = sizeof(rte_ether_hdr) + sizeof(rte_ipv4_hdr) + sizeof(rte_udp_hdr);
  std::vector<std::byte> packet(kHeads + payload.size());
  rte_ether_hdr ethernet{};
  std::memcpy(&ethernet.dst_addr, kEthernetAddress.data(), kEthernetAddress.size());
  ethernet.src_addr.addr_bytes[0] = 2;
  ethernet.ether_type = htons(RTE_ETHER_TYPE_IPV4);
  rte_ipv4_hdr ip{};
  ip.version_ihl = RTE_IPV4_VHL_DEF;
  ip.total_length = htons(static_cast<std::uint16_t>(packet.size() - sizeof ethernet));
  ip.time_to_live = 64;
  ip.next_proto_id = IPPROTO_UDP;
  ip.src_addr = htonl(RTE_IPV4(10, 77, 0, 2));
  ip.dst_addr = htonl(RTE_IPV4(10, 77, 0, 1));
  ip.hdr_checksum = rte_ipv4_cksum(&ip);
  rte_udp_hdr udp{};
  udp.src_port = htons(4000);
  udp.dst_port = htons(port);
  udp.dgram_len = htons(static_cast<std::uint16_t>(sizeof udp + payload.size()));
  std::byte* at = packet.data();
  std::memcpy(at, &ethernet, sizeof ethernet);
  std::memcpy(at + sizeof ethernet, &ip, sizeof ip);
  std::byte* udp_at = at + sizeof ethernet + sizeof ip;
  std::memcpy(udp_at + sizeof udp, payload.data(), payload.size());
  std::memcpy(udp_at, &udp, sizeof udp);
  udp.dgram_cksum = rte_ipv4_udptcp_cksum(&ip, udp_at);
  std::memcpy(udp_at, &udp, sizeof udp);
  return packet;
}

LoopedPackets::LoopedPackets(const std::vector<std::byte>& packet, unsigned count) {
  pool_ = rte_pktmbuf_pool_create("looped", count, 0, 0,
                                  static_cast<std::uint16_t>(packet.size() + RTE_PKTMBUF_HEADROOM),
                                  SOCKET_ID_ANY);
  CHECK(pool_ != nullptr);
  for (unsigned i = 0; i < count; ++i) {
    rte_mbuf* made = rte_pktmbuf_alloc(pool_);
    CHECK(made != nullptr);
    std::memcpy(rte_pktmbuf_mtod(made, void*), packet.data(), packet.size());
    made->data_len = static_cast<std::uint16_t>(packet.size());
    made->pkt_len = made->data_len;
    packets_.push_back(made);
  }
}

LoopedPackets::~LoopedPackets() {
  for (rte_mbuf* packet : packets_) rte_pktmbuf_free(packet);
  rte_mempool_free(pool_);
}

std::uint16_t LoopedPackets::receive(std::span<rte_mbuf*> packets) {
  const std::size_t count = std::min(packets.size(), packets_.size() - next_);
  for (std::size_t i = 0; i < count; ++i) {
    packets[i] = packets_[next_ + i];
    rte_mbuf_refcnt_set(packets[i], 2);
  }
  next_ += count;
  if (next_ == packets_.size()) next_ = 0;
  received_ += count;
  return static_cast<std::uint16_t>(count);
}

}  // namespace penstock::ring
