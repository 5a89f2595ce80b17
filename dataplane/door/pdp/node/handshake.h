// Opens sessions: cookies for those who ask, a place for those who bring one back.
#pragma once

#include "dataplane/door/pdp/cookie.h"
#include "dataplane/door/pdp/keys.h"
#include "dataplane/door/pdp/node/options.h"
#include "dataplane/door/pdp/node/secrets.h"
#include "dataplane/door/pdp/node/sequencer.h"
#include "dataplane/frame/token_bucket.h"

namespace penstock::pdp {

// One thread. What it is given outlives it.
class Handshake {
 public:
  Handshake(const NodeOptions& options, SessionTable& sessions, ProducerTable& producers,
            Sequencer& sequencer, Acknowledger& acknowledger, FrameSender& sender,
            Secrets& secrets);

  [[nodiscard]] FrameFate take_hello(const Peer& from, const Frame& frame, MonotonicNanos now);
  // `datagram` is the whole frame, for its seal.
  [[nodiscard]] FrameFate take_open(const Peer& from, const Frame& frame,
                                    std::span<const std::byte> datagram, MonotonicNanos now);

  // The session's number that an OPEN asks for: its shard is that modulo the shards.
  [[nodiscard]] static std::uint64_t number_of(const Frame& open);
  // No session is opened any more.
  void end() { ending_ = true; }

 private:
  struct Opening {
    const Peer& from;
    const OpenBody& body;
    std::uint64_t number;
    const ProducerKey* key;  // none: without one
    MonotonicNanos now;
  };
  [[nodiscard]] std::expected<const ProducerKey*, RefuseReason> judge_key(
      const Peer& from, const Frame& frame, std::span<const std::byte> datagram);
  [[nodiscard]] FrameFate refuse(const Peer& to, const OpenBody& open, RefuseReason reason);
  [[nodiscard]] FrameFate open(const Opening& opening);
  [[nodiscard]] Session* place(const Opening& opening);
  void connect(Session& session, const Opening& opening);
  [[nodiscard]] FrameFate accept(Session& session);

  const NodeOptions& options_;
  SessionTable& sessions_;
  ProducerTable& producers_;
  Sequencer& sequencer_;
  Acknowledger& acknowledger_;
  FrameSender& sender_;
  Secrets& secrets_;
  CookieJar cookies_;
  TokenBucket answers_;
  bool ending_ = false;
};

}  // namespace penstock::pdp
