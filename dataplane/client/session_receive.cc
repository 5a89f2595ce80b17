// What the node says, but for ACK (session_ack.cc).
#include "dataplane/client/session_core.h"

namespace penstock::client {
namespace {

// Sequences that a node gives out have to leave room for ours.
constexpr std::uint64_t kFirstSequenceMax = kProducerSequenceEnd / 2;
constexpr std::int64_t kIdleMinNs = kNanosPerSecond;
// A connection is kept alive this often within the time after which it is forgotten.
constexpr std::int64_t kPingsWithinIdle = 3;
// Without acknowledgements only PINGs tell how much was lost.
constexpr std::int64_t kPingWithoutLevelNs = kNanosPerSecond;

}  // namespace

void SessionCore::receive(Datagram datagram, MonotonicNanos now) {
  ++statistics_.datagrams_received;
  const auto frame = pdp::decode_frame(datagram, pdp::Sender::kNode);
  if (!frame) return drop(static_cast<DatagramDrop>(frame.error()));
  switch (frame->header.type) {
    case pdp::FrameType::kCookie:
    case pdp::FrameType::kAccept:
    case pdp::FrameType::kRefuse:
      if (!take_opening(*frame, datagram, now)) drop(DatagramDrop::kStrange);
      return;
    default: break;
  }
  if (!is_connected() || frame->header.connection != connection_) {
    return drop(DatagramDrop::kStrange);
  }
  if (frame->header.type == pdp::FrameType::kReset) return on_reset(now);
  if (!is_authentic(*frame, datagram)) return;
  unanswered_ = kNever;
  take_connected(*frame, now);
}

bool SessionCore::is_authentic(const pdp::Frame& frame, Datagram datagram) {
  const auto dropped = [&](DatagramDrop cause) {
    drop(cause);
    return false;
  };
  if (!has_key_) return frame.sealed ? dropped(DatagramDrop::kSealUnexpected) : true;
  if (!frame.sealed) return dropped(DatagramDrop::kSealMissing);
  if (replays_.look(frame.packet) != pdp::Replay::kNew) return dropped(DatagramDrop::kReplayed);
  if (!verifier_.verify(datagram, keys_.node)) return dropped(DatagramDrop::kSealWrong);
  replays_.mark(frame.packet);
  return true;
}

bool SessionCore::take_opening(const pdp::Frame& frame, Datagram datagram, MonotonicNanos now) {
  if (frame.header.type == pdp::FrameType::kAccept) return on_accept(frame, datagram, now);
  if (frame.header.type == pdp::FrameType::kRefuse) return on_refuse(frame, now);
  const auto cookie = pdp::body_of<pdp::CookieBody>(frame);
  if (!handshake_.on_cookie(cookie, now)) return false;
  if (const auto rtt = since(cookie.echoed_us, now)) rtt_.measured(*rtt);
  listener_.on_event(SessionEvent::kCookie);
  return true;
}

bool SessionCore::on_accept(const pdp::Frame& frame, Datagram datagram, MonotonicNanos now) {
  const auto accept = pdp::body_of<pdp::AcceptBody>(frame);
  if (!handshake_.answers(accept.nonce) || accept.next > kFirstSequenceMax) return false;
  if (accept.session != pdp::session_number(handshake_.key_name(), handshake_.session_name())) {
    return false;
  }
  if (has_key_ != frame.sealed) return false;
  ConnectionKeys keys;
  if (has_key_) {
    keys = handshake_.keys(accept);
    if (!verifier_.verify(datagram, keys.node)) {
      drop(DatagramDrop::kSealWrong);
      return true;
    }
  }
  handshake_.stop();
  // What the node misses was acknowledged meanwhile, and is held no more.
  if (numbered_ && accept.next < ring_.begin_sequence()) {
    reopen(now);
    return true;
  }
  keys_ = keys;
  replays_ = {};
  if (has_key_) replays_.mark(frame.packet);
  packets_sent_ = 0;
  connection_ = frame.header.connection;
  begin_connection(accept, now);
  listener_.on_event(SessionEvent::kOpened);
  return true;
}

void SessionCore::begin_connection(const pdp::AcceptBody& accept, MonotonicNanos now) {
  session_ = accept.session;
  go_on_at(accept.next);
  received_ = accept.next;
  written_ = durable_ = accept.durable;
  limit_ = accept.limit;
  credit_bytes_ = accept.credit_bytes;
  statistics_.lost = accept.lost;
  statistics_.credit_state = pdp::CreditState::kFlows;
  ++statistics_.openings;
  range_count_ = 0;
  loss_.heard();
  if (!same_path_) {
    congestion_.start(loss_.next_transmission());
    rtt_ = {};
  }
  path_.start(accept.frame_bytes_max, same_path_, now);
  same_path_ = true;
  const std::int64_t idle_ns = std::max(accept.idle_ms * kNanosPerMilli, kIdleMinNs);
  keep_alive_ns_ = idle_ns / kPingsWithinIdle;
  if (level_ == pdp::Level::kNone) keep_alive_ns_ = std::min(keep_alive_ns_, kPingWithoutLevelNs);
  idle_until_ = now + keep_alive_ns_;
  unanswered_ = kNever;
  ping_.stop();
  close_.stop();
  challenge_.reset();
  if (state_ == SessionState::kOpening) state_ = SessionState::kOpen;
  if (level_ != pdp::Level::kNone) pop_finished();
}

// A node that has more of the session than was ever sent knows it from another life: what is held
// here is none of that, and goes behind it.
void SessionCore::go_on_at(std::uint64_t next) {
  std::size_t transmitted = ring_.size() - queued_;
  while (transmitted < ring_.size() && ring_[ring_.id_at(transmitted)].transmissions != 0) {
    ++transmitted;
  }
  const bool is_other_life =
      next > (transmitted == ring_.size() ? ring_.end_sequence()
                                          : ring_[ring_.id_at(transmitted)].sequence);
  if (is_other_life) ring_.renumber(next);
  numbered_ = true;
  first_sequence_ = next;
  expired_until_ = 0;
  // What was sent without a level is done with, though its bytes may be on their way out still.
  std::size_t place = sent_without_level_;
  for (std::size_t i = place; i < ring_.size(); ++i) loss_.forget(ring_.id_at(i));
  for (; place < ring_.size() && ring_[ring_.id_at(place)].end() <= next; ++place) {
    CHECK(loss_.received(ring_.id_at(place)));
  }
  if (place < ring_.size() && ring_[ring_.id_at(place)].sequence < next &&
      ring_.split_before(place, next)) {
    CHECK(loss_.received(ring_.id_at(place)));
    ++place;
  }
  queued_ = ring_.size() - place;
}

bool SessionCore::on_refuse(const pdp::Frame& frame, MonotonicNanos now) {
  const auto refuse = pdp::body_of<pdp::RefuseBody>(frame);
  if (!handshake_.on_refuse(refuse, now)) return false;
  refuse_reason_ = refuse.reason;
  if (!handshake_.is_on() && !is_connected()) state_ = SessionState::kRefused;
  listener_.on_event(SessionEvent::kRefused);
  return true;
}

void SessionCore::take_connected(const pdp::Frame& frame, MonotonicNanos now) {
  switch (frame.header.type) {
    case pdp::FrameType::kAck: return on_ack(frame, now);
    case pdp::FrameType::kReject: return on_reject(pdp::body_of<pdp::RejectBody>(frame));
    case pdp::FrameType::kClosed: return on_closed();
    case pdp::FrameType::kGoAway: return on_go_away(frame, now);
    case pdp::FrameType::kChallenge: challenge_ = pdp::body_of<pdp::ChallengeBody>(frame); return;
    case pdp::FrameType::kCapture: {
      const auto capture = pdp::body_of<pdp::CaptureBody>(frame);
      if (!ask_.is_on() || capture.request != request_) return drop(DatagramDrop::kStrange);
      ask_.stop();
      capture_ = capture;
      return listener_.on_event(SessionEvent::kCaptured);
    }
    default: return drop(DatagramDrop::kStrange);
  }
}

void SessionCore::on_reject(const pdp::RejectBody& reject) {
  const std::size_t place = ring_.place_behind(reject.sequence);
  if (place == ring_.size()) return drop(DatagramDrop::kStrange);
  const FrameEntry& entry = ring_[ring_.id_at(place)];
  const bool is_sent = entry.state == FrameState::kInFlight || entry.state == FrameState::kLost;
  if (!is_sent || entry.skip || entry.sequence != reject.sequence ||
      entry.messages != reject.message_count) {
    return drop(DatagramDrop::kStrange);
  }
  give_up(place, Outcome::kRejected, reject.reason);
}

void SessionCore::on_go_away(const pdp::Frame& frame, MonotonicNanos now) {
  const auto body = pdp::body_of<pdp::GoAwayBody>(frame);
  const std::string_view endpoint = pdp::endpoint_of(frame);
  std::ranges::copy(endpoint, go_away_endpoint_.begin());
  go_away_ = {
      .reason = body.reason,
      .deadline = now + body.deadline_ms * kNanosPerMilli,
      .endpoint = {go_away_endpoint_.data(), endpoint.size()}
  };
  listener_.on_event(SessionEvent::kGoAway);
}

void SessionCore::on_reset(MonotonicNanos now) {
  ++statistics_.resets;
  if (state_ == SessionState::kClosing && holds_nothing()) return end();
  if (handshake_.is_on()) return;
  reopen(now);
  listener_.on_event(SessionEvent::kReset);
}

void SessionCore::on_closed() {
  if (state_ != SessionState::kClosing || !close_.is_on()) return drop(DatagramDrop::kStrange);
  end();
}

}  // namespace penstock::client
