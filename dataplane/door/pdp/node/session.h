// What the node knows of an open session.
#pragma once

#include "base/units.h"
#include "dataplane/door/pdp/node/missing_ranges.h"
#include "dataplane/door/pdp/replay_window.h"
#include "dataplane/door/pdp/seal.h"
#include "dataplane/door/pdp/wire.h"
#include "dataplane/frame/peer.h"
#include "storage/log/producer_table.h"

namespace penstock::pdp {

// Frames of one session that came before their turn, by sequence: a list in the HoldPool.
struct HeldList {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  std::uint32_t first = kNone;
  std::uint32_t last = kNone;
  std::uint32_t frames = 0;
  std::uint32_t bytes = 0;
};

// Its sequences are the log's: received is the producer's `next`, written and durable are its own.
//   durable <= written <= received <= limit
struct Session {
  std::uint64_t connection = 0;  // 0: the place is free
  std::uint32_t slot = 0;
  ProducerIndex producer;
  Level level = Level::kNone;
  MonotonicNanos heard{0};  // the last good frame

  Peer peer;       // proved
  Peer candidate;  // challenged; link_bytes 0: none
  std::uint64_t challenge = 0;
  MonotonicNanos challenged_at{0};

  std::uint64_t limit = 0;  // messages before it may come
  std::uint64_t lost = 0;   // messages that never came
  MissingRanges missing;    // fire and forget: what may still come late
  HeldList held;
  bool blocked = false;  // the log had no room for the next frame
  CreditState state = CreditState::kFlows;

  std::uint32_t echoed_us = 0;    // of the last frame, not answered yet
  MonotonicNanos echoed_at{0};    // when it came
  std::uint16_t probe_bytes = 0;  // of a PING, not answered yet

  bool closing = false;
  std::uint64_t close_next = 0;  // CLOSED is sent when all before it reached the level
  MonotonicNanos closed_at{0};   // it was sent; 0: not yet

  Nonce nonce{};  // of the OPEN, which may come again
  std::uint64_t cookie_issued_ns = 0;
  Nonce node_nonce{};
  bool sealed = false;
  SealKey producer_key{};
  SealKey node_key{};
  std::uint64_t packet = 0;  // of the last frame sent
  ReplayWindow replays;
};

}  // namespace penstock::pdp
