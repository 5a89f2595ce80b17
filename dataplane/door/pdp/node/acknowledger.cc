#include "dataplane/door/pdp/node/acknowledger.h"

#include <algorithm>

namespace penstock::pdp {
namespace {

// The smallest frames that the credit in bytes stands for: it bounds the credit in messages.
constexpr std::uint32_t kBytesPerMessageMin = 64;

std::uint32_t micros(std::int64_t nanos) {
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(nanos / 1000, 0, std::int64_t{0xFFFF'FFFF}));
}

}  // namespace

Acknowledger::Acknowledger(SessionTable& sessions, HoldPool& held, ProducerTable& producers,
                           FrameSender& sender, std::uint32_t credit_bytes)
    : sessions_(sessions),
      held_(held),
      producers_(producers),
      sender_(sender),
      credit_bytes_(credit_bytes),
      due_(sessions.capacity()) {}

std::uint64_t Acknowledger::grant(Session& session) const {
  const std::uint64_t received = producers_.at(session.producer).next;
  const std::uint64_t more = session.blocked ? 0 : credit_bytes_ / kBytesPerMessageMin;
  session.limit = std::max(session.limit, std::min(received + more, kProducerSequenceEnd));
  return session.limit;
}

void Acknowledger::send(MonotonicNanos now) {
  for (std::size_t left = due_.size(); left > 0; --left) {
    Session& session = sessions_.at(due_.pop());
    if (session.connection == 0 || tell(session, now)) continue;
    due_.push(session.slot);  // no buffer: later
    return;
  }
}

bool Acknowledger::tell(Session& session, MonotonicNanos now) {
  if (session.closing && reached_close(session)) return tell_closed(session, now);
  const Producer& producer = producers_.at(session.producer);
  std::array<AckRange, kAckRangesMax> ranges;
  const std::size_t count = held_.ranges(session.held, ranges);
  const bool echoes = session.echoed_at != MonotonicNanos(0);
  const AckBody body{
      .received = producer.next,
      .written = producer.written,
      .durable = producer.durable,
      .limit = grant(session),
      .lost = session.lost,
      .credit_bytes = session.blocked ? 0 : credit_bytes_,
      .echoed_us = echoes ? session.echoed_us : 0,
      .delay_us = echoes ? micros(now - session.echoed_at) : 0,
      .probe_bytes = session.probe_bytes,
      .state = session.blocked ? session.state : CreditState::kFlows,
      .range_count = static_cast<std::uint8_t>(count),
      .reserved = 0,
  };
  if (!sender_.send(session, FrameType::kAck, body, std::as_bytes(std::span(ranges).first(count))))
    return false;
  session.echoed_at = MonotonicNanos(0);
  session.probe_bytes = 0;
  return true;
}

bool Acknowledger::reached_close(const Session& session) const {
  const Producer& producer = producers_.at(session.producer);
  switch (session.level) {
    case Level::kNone:
    case Level::kReceived: return producer.next >= session.close_next;
    case Level::kWritten: return producer.written >= session.close_next;
    case Level::kDurable: return producer.durable >= session.close_next;
  }
  return false;
}

bool Acknowledger::tell_closed(Session& session, MonotonicNanos now) {
  const Producer& producer = producers_.at(session.producer);
  const ClosedBody body{
      .received = producer.next, .durable = producer.durable, .lost = session.lost};
  if (!sender_.send(session, FrameType::kClosed, body)) return false;
  session.closed_at = now;
  return true;
}

}  // namespace penstock::pdp
