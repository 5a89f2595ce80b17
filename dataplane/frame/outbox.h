// Where a front door that answers puts its datagrams: the shard's ports behind it, or a test's
// stand-in.
#pragma once

#include <span>

#include "dataplane/frame/peer.h"

namespace penstock {

// One thread.
class Outbox {
 public:
  virtual ~Outbox() = default;
  // Room for the payload of one datagram, to be filled at once; empty: no buffer or no way to the
  // peer, and nothing is sent.
  [[nodiscard]] virtual std::span<std::byte> begin(const Peer& to, std::size_t bytes) = 0;
  // What begin() gave last is filled.
  virtual void send() = 0;
};

}  // namespace penstock
