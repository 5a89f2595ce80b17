// How shards pass packets to each other: frames of a session that came to a shard that does not own
// it, and answers for a port that the owner does not poll.
//
// Network cards spread packets by their addresses, and know nothing of sessions. A producer may
// choose its source port so that its packets come to the right shard at once (docs/pdp.md); what
// comes to another one takes this way.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

struct rte_mbuf;
struct rte_ring;

namespace penstock {

// Made before the shards, outlives them. Many shards give, one takes; nobody waits.
class Handover {
 public:
  static constexpr unsigned kPacketsMax = 4096;  // waiting, of each kind and shard

  enum class Kind : std::uint8_t {
    kArrival,    // a packet that the shard's sessions may know
    kDeparture,  // a packet to be transmitted
  };

  // EAL is started. `name` tells the rings of several nodes in one process apart.
  [[nodiscard]] static Result<std::unique_ptr<Handover>> make(const std::string& name,
                                                              unsigned shards);

  // The packet, which came from or goes to the node's port of this number, is the other shard's.
  // False: its ring is full, and the packet still the caller's.
  [[nodiscard]] bool give(unsigned shard, Kind kind, rte_mbuf* packet, std::uint16_t port);
  // Takes what waits, up to packets.size(); returns how many.
  [[nodiscard]] unsigned take(unsigned shard, Kind kind, std::span<rte_mbuf*> packets);
  // Of a packet that was taken.
  [[nodiscard]] static std::uint16_t port_of(const rte_mbuf& packet);

  // For the orderly end: a shard says when it begins to give packets of a kind and when it has
  // given its last. With no giver left, what the rings hold is all that will ever come.
  void join(Kind kind) { givers(kind).fetch_add(1, std::memory_order_relaxed); }
  // release: whoever sees the giver gone sees what it gave.
  void leave(Kind kind) { givers(kind).fetch_sub(1, std::memory_order_release); }
  [[nodiscard]] bool all_left(Kind kind) {
    return givers(kind).load(std::memory_order_acquire) == 0;
  }

 private:
  Handover() = default;
  struct Free {
    void operator()(rte_ring* ring) const;
  };
  using Ring = std::unique_ptr<rte_ring, Free>;
  [[nodiscard]] rte_ring& ring(unsigned shard, Kind kind) {
    return *rings_[2 * shard + static_cast<unsigned>(kind)];
  }
  [[nodiscard]] std::atomic<unsigned>& givers(Kind kind) {
    return givers_[static_cast<unsigned>(kind)];
  }
  std::vector<Ring> rings_;  // two of each shard
  std::array<std::atomic<unsigned>, 2> givers_{};
};

}  // namespace penstock
