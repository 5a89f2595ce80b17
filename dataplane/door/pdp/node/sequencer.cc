#include "dataplane/door/pdp/node/sequencer.h"

#include <algorithm>

#include "base/check.h"
#include "dataplane/subject/subject.h"

namespace penstock::pdp {
namespace {

// Subjects of full length that the memory of a cache has room for.
constexpr std::size_t kRoutesKept = 1024;

// A larger step is no loss but a producer that went mad: the count of what is lost would mean
// nothing any more.
constexpr std::uint64_t kStepMax = std::uint64_t{1} << 32U;

CreditState state_of(Appended why) {
  switch (why) {
    case Appended::kVolumeFull: return CreditState::kVolumeFull;
    case Appended::kVolumeFailed: return CreditState::kVolumeFailed;
    default: return CreditState::kDriveSlow;
  }
}

ProducerRun run_of(const Session& session, const HeldFrame& frame) {
  return {.producer = session.producer,
          .sequence = frame.sequence,
          .message_count = frame.message_count,
          .payload_bytes = frame.payload_bytes,
          .received = frame.received,
          .messages = frame.messages};
}

}  // namespace

RejectReason reason_of(MessageFate fate) {
  switch (fate) {
    case MessageFate::kBadSubject: return RejectReason::kBadSubject;
    case MessageFate::kCapturesFull: return RejectReason::kCapturesFull;
    default: return RejectReason::kNoStream;
  }
}

Sequencer::Sequencer(Intake& intake, StreamRouter& router, LogWriter& log, SessionTable& sessions,
                     HoldPool& held, Acknowledger& acknowledger, FrameSender& sender,
                     FrameAccount& account, std::size_t origin, std::uint32_t credit_bytes)
    : intake_(intake),
      router_(router),
      log_(log),
      producers_(log.producers()),
      sessions_(sessions),
      held_(held),
      acknowledger_(acknowledger),
      sender_(sender),
      account_(account),
      origin_(origin),
      credit_bytes_(credit_bytes),
      routes_(kSubjectBytesMax, 0, Rng::from_kernel().next(), kRoutesKept),
      blocked_(sessions.capacity()) {
  CHECK_EQ(routes_.capacity(), kRoutesKept);
}

std::optional<FrameFate> Sequencer::take(Session& session, const Arrival& arrival) {
  const auto data = body_of<DataBody>(arrival.frame);
  HeldFrame frame{.sequence = data.sequence,
                  .message_count = data.message_count,
                  .frame_bytes = arrival.bytes,
                  .skip = arrival.frame.header.type == FrameType::kSkip,
                  .received = arrival.received};
  const bool ordered = session.level != Level::kNone;
  if (ordered) acknowledger_.note_frame(session, data.sent_us, arrival.now);
  if (const auto fate = judge_place(session, frame)) return fate;
  std::expected<CaptureSetId, MessageFate> set;  // of a SKIP: none is asked for
  if (!frame.skip) {
    frame.messages = messages_of(arrival.frame);
    const auto run = check_run(frame.messages, frame.message_count);
    if (!run) return FrameFate::kBadRun;
    frame.payload_bytes = run->payload_bytes;
    set = route(run->subject);
    if (set) frame.set = *set;
  }
  if (!ordered) return take_fresh(session, frame, set);
  return set ? take_ordered(session, frame) : reject(session, frame, set.error());
}

FrameFate Sequencer::reject(Session& session, const HeldFrame& frame, MessageFate why) {
  const RejectBody body{.sequence = frame.sequence,
                        .message_count = frame.message_count,
                        .reason = reason_of(why),
                        .reserved = 0};
  sender_.send(session, FrameType::kReject, body);  // unsent, the frame comes again
  return FrameFate::kRejected;
}

// Nothing: it may be taken.
std::optional<FrameFate> Sequencer::judge_place(const Session& session,
                                                const HeldFrame& frame) const {
  const std::uint64_t at = next(session);
  if (session.level == Level::kNone) {
    if (frame.sequence < at)
      return frame.end() > at ? std::optional(FrameFate::kOverlap) : std::nullopt;
    return frame.sequence - at > kStepMax ? std::optional(FrameFate::kOverCredit) : std::nullopt;
  }
  if (frame.end() <= at) return FrameFate::kDuplicate;
  if (frame.sequence < at) return FrameFate::kOverlap;
  if (frame.end() > session.limit) return FrameFate::kOverCredit;
  return std::nullopt;
}

std::optional<FrameFate> Sequencer::take_ordered(Session& session, const HeldFrame& frame) {
  if (session.blocked || frame.sequence > next(session)) return hold(session, frame);
  const FrameFate fate = take_next(session, frame);
  if (fate == FrameFate::kPushedBack) return hold(session, frame);
  if (session.held.frames != 0) take_held(session);
  return fate;
}

// The frame whose turn it is. kPushedBack: the log has no room, and the session waits for it.
FrameFate Sequencer::take_next(Session& session, const HeldFrame& frame) {
  CHECK_EQ(frame.sequence, next(session));
  if (frame.skip) {
    skip_to(session, frame.end());
    return FrameFate::kSkipTaken;
  }
  const Appended result = intake_.offer_run(origin_, frame.set, run_of(session, frame));
  if (result == Appended::kOk) [[likely]] {
    if (session.level >= Level::kWritten) log_.hurry();
    return FrameFate::kTaken;
  }
  CHECK(result != Appended::kTooLarge);  // the smallest block holds the longest frame
  session.blocked = true;
  session.state = state_of(result);
  blocked_.push(session.slot);
  return FrameFate::kPushedBack;
}

std::optional<FrameFate> Sequencer::hold(Session& session, const HeldFrame& frame) {
  if (session.held.bytes + frame.frame_bytes > credit_bytes_) return FrameFate::kOverCredit;
  switch (held_.hold(session.held, frame)) {
    case HoldPool::Held::kYes: account_.held.add(frame.frame_bytes); return std::nullopt;
    case HoldPool::Held::kDuplicate: return FrameFate::kDuplicate;
    case HoldPool::Held::kOverlap: return FrameFate::kOverlap;
    case HoldPool::Held::kNoRoom: break;
  }
  return frame.sequence == next(session) ? FrameFate::kPushedBack : FrameFate::kNoRoom;
}

void Sequencer::take_held(Session& session) {
  while (session.held.frames != 0) {
    const HeldFrame frame = held_.front(session.held);
    FrameFate fate = FrameFate::kDuplicate;
    if (frame.sequence > next(session)) return;
    if (frame.sequence == next(session)) {
      fate = take_next(session, frame);
      if (fate == FrameFate::kPushedBack) return;
    } else if (frame.end() > next(session)) {
      fate = FrameFate::kOverlap;
    }
    settle_held(fate, frame);
    held_.pop_front(session.held);
  }
}

void Sequencer::settle_held(FrameFate fate, const HeldFrame& frame) {
  account_[fate].add(frame.frame_bytes);
  --account_.held.count;
  account_.held.bytes -= frame.frame_bytes;
}

void Sequencer::resume() {
  for (std::size_t left = blocked_.size(); left > 0; --left) {
    Session& session = sessions_.at(blocked_.pop());
    if (session.connection == 0 || !session.blocked) continue;
    session.blocked = false;
    take_held(session);
    if (session.blocked) return;
    acknowledger_.note(session);
  }
}

void Sequencer::forget_held(Session& session) {
  account_[FrameFate::kNoRoom].add(session.held.frames, session.held.bytes);
  account_.held.count -= session.held.frames;
  account_.held.bytes -= session.held.bytes;
  held_.clear(session.held);
  session.blocked = false;
}

void Sequencer::skip_to(Session& session, std::uint64_t end) {
  const std::uint64_t skipped = end - next(session);
  session.lost += skipped;
  account_.lost.add(skipped, 0);
  producers_.set_next(session.producer, end);
}

bool Sequencer::step_to(Session& session, std::uint64_t sequence) {
  const std::uint64_t at = next(session);
  if (sequence <= at) return true;
  if (sequence - at > kStepMax) return false;
  session.missing.add(at, sequence);
  skip_to(session, sequence);
  return true;
}

// Fire and forget: whatever is new is offered, and what is missing is counted.
FrameFate Sequencer::take_fresh(Session& session, const HeldFrame& frame,
                                std::expected<CaptureSetId, MessageFate> set) {
  const std::uint64_t at = next(session);
  CHECK(step_to(session, frame.sequence));  // judge_place() let none through that is too large
  if (frame.skip) {
    if (frame.end() > at) skip_to(session, frame.end());
    return FrameFate::kSkipTaken;
  }
  if (frame.sequence < at) {
    if (!session.missing.take(frame.sequence, frame.end())) return FrameFate::kDuplicate;
    session.lost -= frame.message_count;
    account_.lost.count -= frame.message_count;
  }
  const MessageCount count{frame.message_count, frame.payload_bytes};
  if (!set) {
    intake_.refuse_run(origin_, set.error(), count);
  } else if (const Appended result = intake_.offer_run(origin_, *set, run_of(session, frame));
             result != Appended::kOk) {
    intake_.refuse_run(origin_, *set, result, count);
  } else {
    return FrameFate::kTaken;
  }
  if (frame.end() > at) producers_.set_next(session.producer, frame.end());
  return FrameFate::kTaken;
}

std::expected<CaptureSetId, MessageFate> Sequencer::route(std::string_view subject) {
  if (routes_version_ != router_.version()) [[unlikely]] {
    routes_version_ = router_.version();
    routes_.clear();
    last_route_ = nullptr;
  }
  if (last_route_ != nullptr && last_route_->subject == subject) [[likely]]
    return last_route_->set;
  const auto key = std::as_bytes(std::span(subject));
  if (const Route* known = routes_.find(key)) {
    last_route_ = known;
    return known->set;
  }
  last_route_ = nullptr;
  if (!is_valid_subject(subject)) return std::unexpected(MessageFate::kBadSubject);
  return routes_.keep(key, {subject, router_.match(subject)})->set;
}

}  // namespace penstock::pdp
