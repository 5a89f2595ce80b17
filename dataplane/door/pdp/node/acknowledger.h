// Tells producers how far their sessions are: who is to be told is noted, and told once at the end
// of the shard's turn.
#pragma once

#include "dataplane/door/pdp/node/frame_sender.h"
#include "dataplane/door/pdp/node/hold_pool.h"
#include "dataplane/door/pdp/node/session_table.h"
#include "dataplane/door/pdp/node/slot_queue.h"

namespace penstock::pdp {

// One thread. All memory is taken by the constructor.
class Acknowledger {
 public:
  Acknowledger(SessionTable& sessions, HoldPool& held, ProducerTable& producers,
               FrameSender& sender, std::uint32_t credit_bytes);

  // The session is to be told where it is.
  void note(const Session& session) { due_.push(session.slot); }
  // A frame came, which the next ACK answers.
  void note_frame(Session& session, std::uint32_t sent_us, MonotonicNanos now) {
    session.echoed_us = sent_us;
    session.echoed_at = now;
    note(session);
  }

  // Tells all that are noted. Who could not be told stays noted.
  void send(MonotonicNanos now);

  // Messages before it may come from now on.
  [[nodiscard]] std::uint64_t grant(Session& session) const;
  [[nodiscard]] bool all_told() const { return due_.size() == 0; }

 private:
  [[nodiscard]] bool tell(Session& session, MonotonicNanos now);
  [[nodiscard]] bool tell_closed(Session& session, MonotonicNanos now);
  [[nodiscard]] bool reached_close(const Session& session) const;

  SessionTable& sessions_;
  HoldPool& held_;
  ProducerTable& producers_;
  FrameSender& sender_;
  std::uint32_t credit_bytes_;
  SlotQueue due_;
};

}  // namespace penstock::pdp
