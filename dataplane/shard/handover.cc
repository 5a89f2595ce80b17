#include "dataplane/shard/handover.h"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

namespace penstock {

Result<std::unique_ptr<Handover>> Handover::make(const std::string& name, unsigned shards) {
  std::unique_ptr<Handover> made(new Handover);
  for (unsigned i = 0; i < 2 * shards; ++i) {
    rte_ring* ring = rte_ring_create(fmt::format("{}.{}", name, i).c_str(), kPacketsMax,
                                     SOCKET_ID_ANY, RING_F_SC_DEQ);
    if (ring == nullptr) {
      return fail(Errc::kNoSpace,
                  fmt::format("no memory for the rings between {} shards: {}; raise dpdk.memory",
                              shards, rte_strerror(rte_errno)));
    }
    made->rings_.emplace_back(ring);
  }
  return made;
}

bool Handover::give(unsigned shard, Kind kind, rte_mbuf* packet, std::uint16_t port) {
  packet->hash.usr = port;
  return rte_ring_enqueue(&ring(shard, kind), packet) == 0;
}

unsigned Handover::take(unsigned shard, Kind kind, std::span<rte_mbuf*> packets) {
  return rte_ring_dequeue_burst(&ring(shard, kind), reinterpret_cast<void**>(packets.data()),
                                static_cast<unsigned>(packets.size()), nullptr);
}

std::uint16_t Handover::port_of(const rte_mbuf& packet) {
  return static_cast<std::uint16_t>(packet.hash.usr);
}

void Handover::Free::operator()(rte_ring* ring) const {
  void* packet = nullptr;
  while (rte_ring_dequeue(ring, &packet) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(packet));
  rte_ring_free(ring);
}

}  // namespace penstock
