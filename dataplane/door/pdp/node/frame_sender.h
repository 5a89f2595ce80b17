// The node's frames: laid out in the outbox, sealed where the session has a key, counted.
#pragma once

#include "dataplane/door/pdp/node/session.h"
#include "dataplane/frame/outbox.h"
#include "dataplane/ledger/account.h"

namespace penstock::pdp {

// One thread. Outbox and account outlive it.
class FrameSender {
 public:
  FrameSender(Outbox& outbox, FrameAccount& account) : outbox_(outbox), account_(account) {}

  // To who has no session: never sealed. False: no buffer, nothing was sent.
  template <class Body>
  bool send(const Peer& to, FrameType type, std::uint64_t connection, const Body& body) {
    return emit(to, type, connection, body, {}, nullptr);
  }
  // To an open session, at its proved address unless `to` is given.
  template <class Body>
  bool send(Session& session, FrameType type, const Body& body,
            std::span<const std::byte> behind = {}) {
    return emit(session.peer, type, session.connection, body, behind, &session);
  }
  template <class Body>
  bool send_to(const Peer& to, Session& session, FrameType type, const Body& body) {
    return emit(to, type, session.connection, body, {}, &session);
  }

  [[nodiscard]] Sealer& sealer() { return sealer_; }

 private:
  template <class Body>
  bool emit(const Peer& to, FrameType type, std::uint64_t connection, const Body& body,
            std::span<const std::byte> behind, Session* session) {
    const bool sealed = session != nullptr && session->sealed;
    const std::size_t bytes = sizeof(FrameHeader) + sizeof(Body) + behind.size();
    const auto frame = outbox_.begin(to, bytes + (sealed ? sizeof(Trailer) : 0));
    if (frame.empty()) return false;
    encode_frame(frame, type, connection, body, sealed);
    std::ranges::copy(behind, frame.begin() + sizeof(FrameHeader) + sizeof(Body));
    if (sealed) sealer_.seal(frame, session->node_key, ++session->packet);
    outbox_.send();
    account_.sent.add(frame.size());
    return true;
  }

  Outbox& outbox_;
  FrameAccount& account_;
  Sealer sealer_;
};

}  // namespace penstock::pdp
