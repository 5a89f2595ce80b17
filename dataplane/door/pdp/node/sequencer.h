// Brings the frames of each session into the log: each message once, in its order.
#pragma once

#include "dataplane/door/pdp/node/acknowledger.h"
#include "dataplane/door/pdp/run_check.h"
#include "dataplane/shard/intake.h"
#include "dataplane/subject/route_cache.h"
#include "dataplane/subject/stream_router.h"

namespace penstock::pdp {

// A DATA or SKIP frame of an open session, its seal verified.
struct Arrival {
  Frame frame;
  std::uint32_t bytes;  // of the UDP payload
  UnixNanos received;
  MonotonicNanos now;
};

// What a producer is told of messages that go nowhere.
[[nodiscard]] RejectReason reason_of(MessageFate fate);

// One thread. All memory is taken by the constructor.
class Sequencer {
 public:
  Sequencer(Intake& intake, StreamRouter& router, LogWriter& log, SessionTable& sessions,
            HoldPool& held, Acknowledger& acknowledger, FrameSender& sender, FrameAccount& account,
            std::size_t origin, std::uint32_t credit_bytes);

  // What became of the frame; nothing when it is held for later.
  [[nodiscard]] std::optional<FrameFate> take(Session& session, const Arrival& arrival);

  // The log may have room again: goes on with the sessions that wait for it, in turn.
  void resume();
  // Gives up what the session holds: it will be sent again, if by anyone.
  void forget_held(Session& session);
  // Messages up to `end` will not come any more.
  void skip_to(Session& session, std::uint64_t end);
  // Fire and forget: messages up to `sequence` did not come, and may come late. False: they are too
  // many to be a loss, and nothing changed.
  [[nodiscard]] bool step_to(Session& session, std::uint64_t sequence);

  // Where a subject goes, or why it goes nowhere: kBadSubject, kNoStream, kCapturesFull.
  [[nodiscard]] std::expected<CaptureSetId, MessageFate> route(std::string_view subject);

 private:
  [[nodiscard]] std::optional<FrameFate> judge_place(const Session& session,
                                                     const HeldFrame& frame) const;
  [[nodiscard]] std::optional<FrameFate> take_ordered(Session& session, const HeldFrame& frame);
  FrameFate reject(Session& session, const HeldFrame& frame, MessageFate why);
  [[nodiscard]] FrameFate take_next(Session& session, const HeldFrame& frame);
  [[nodiscard]] FrameFate take_fresh(Session& session, const HeldFrame& frame,
                                     std::expected<CaptureSetId, MessageFate> set);
  [[nodiscard]] std::optional<FrameFate> hold(Session& session, const HeldFrame& frame);
  void take_held(Session& session);
  void settle_held(FrameFate fate, const HeldFrame& frame);
  [[nodiscard]] std::uint64_t next(const Session& session) const {
    return producers_.at(session.producer).next;
  }

  Intake& intake_;
  StreamRouter& router_;
  LogWriter& log_;
  ProducerTable& producers_;
  SessionTable& sessions_;
  HoldPool& held_;
  Acknowledger& acknowledger_;
  FrameSender& sender_;
  FrameAccount& account_;
  std::size_t origin_;
  std::uint32_t credit_bytes_;
  RouteCache routes_;
  const Route* last_route_ = nullptr;  // of routes_, until something is kept there
  std::uint64_t routes_version_ = 0;   // of the router, that they are of
  SlotQueue blocked_;                  // sessions that wait for the log
};

}  // namespace penstock::pdp
