// What the session says, and when.
#include "dataplane/client/session_core.h"

namespace penstock::client {
namespace {

constexpr std::int64_t kPingAgainMaxNs = kNanosPerSecond;
constexpr MonotonicNanos kAtOnce{0};

}  // namespace

std::size_t SessionCore::poll(std::span<Datagram> out, MonotonicNanos now) {
  CHECK_GE(out.size(), kPollBatchMin);
  control_count_ = 0;
  composed_count_ = 0;
  sent();
  drop_sent_without_level();
  run_timers(now);
  Output output{.out = out, .now = now};
  poll_control(output);
  if (is_connected()) {
    poll_frames(output);
    watch_answers(now);
  }
  // What is acknowledged or given up meanwhile may still wait for the system to take it.
  if (output.count != 0) ring_.keep_released();
  return output.count;
}

void SessionCore::drop_sent_without_level() {
  for (; sent_without_level_ != 0; --sent_without_level_) {
    if (!ring_.front().skip) report(ring_.front(), Outcome::kSent, pdp::RejectReason::kNone);
    ring_.pop_front();
  }
}

void SessionCore::run_timers(MonotonicNanos now) {
  if (message_timeout_ns_ != 0 && now >= expire_at_) expire(now);
  if (now >= loss_.deadline(rtt_)) {
    took_losses(loss_.time_out());
    congestion_.timed_out(loss_.next_transmission());
    ++statistics_.timeouts;
  }
  seal_lingering(now);
  if (unanswered_ != kNever && now - unanswered_ >= silence_ns_) {
    unanswered_ = now;
    // Also while it is opened anew: nobody may be there any more to open it.
    if (is_connected()) {
      reopen(now);
      listener_.on_event(SessionEvent::kSilent);
    }
  }
}

// A frame that could not be sent yet may as well take more messages.
void SessionCore::seal_lingering(MonotonicNanos now) {
  if (state_ == SessionState::kClosing) {
    flush();
  } else if (queued_ == 0 && now >= batcher_.oldest_opened() + linger_ns_) {
    const std::size_t frames = ring_.size();
    batcher_.seal_opened_until(now + -linger_ns_);
    take_sealed(frames);
  }
}

void SessionCore::put(Output& output, Datagram frame) {
  CHECK(!output.is_full());
  output.out[output.count++] = frame;
  ++statistics_.datagrams_sent;
  statistics_.bytes_sent += frame.size();
}

// A frame of a connection, sealed if the session has a key.
template <class Body>
void SessionCore::say(Output& output, pdp::FrameType type, const Body& body,
                      std::span<const std::byte> tail) {
  const std::size_t head = sizeof(pdp::FrameHeader) + sizeof body;
  const auto frame =
      std::span(control_[control_count_++]).first(head + tail.size() + trailer_bytes_);
  std::ranges::copy(tail, frame.subspan(head).begin());
  pdp::encode_frame(frame, type, connection_, body, has_key_);
  if (has_key_) sealer_.seal(frame, keys_.producer, ++packets_sent_);
  put(output, frame);
  idle_until_ = output.now + keep_alive_ns_;
}

void SessionCore::poll_control(Output& output) {
  const HeldRange held =
      numbered_ ? HeldRange{ring_.begin_sequence(), ring_.end_sequence()} : HeldRange{};
  const auto opening = handshake_.poll(output.now, held);
  if (!opening.empty()) put(output, opening);
  if (!is_connected()) return;
  if (challenge_) {
    say(output, pdp::FrameType::kResponse, *challenge_);
    challenge_.reset();
  }
  poll_ask(output);
  poll_ping(output);
  poll_close(output);
}

void SessionCore::poll_ask(Output& output) {
  if (!ask_.is_due(output.now)) return;
  const auto subject = std::span<const std::byte>(asked_).first(asked_bytes_);
  say(output, pdp::FrameType::kSubject,
      pdp::SubjectBody{.request = request_,
                       .subject_bytes = static_cast<std::uint16_t>(subject.size()),
                       .reserved = 0},
      subject);
  ask_.said(output.now);
}

void SessionCore::poll_ping(Output& output) {
  const std::size_t probe_bytes = path_.poll(output.now, rtt_);
  if (probe_bytes != 0) say_ping(output, probe_bytes);
  const bool repeat = ping_.is_due(output.now);
  if (repeat) ping_.said(output.now);
  if (repeat || output.now >= idle_until_) say_ping(output, pdp::kPingBytesMin);
}

// Nothing under way will be answered: it is for a PING to find out how things are.
void SessionCore::watch_answers(MonotonicNanos now) {
  const bool waits = loss_.in_flight() == 0 && (blocked_ || unanswered_ != kNever);
  if (!waits) {
    ping_.stop();
  } else if (!ping_.is_on()) {
    ping_.start(now, rtt_.timeout_ns(), kPingAgainMaxNs);
    ping_.said(now);
  }
}

void SessionCore::say_ping(Output& output, std::size_t bytes) {
  const pdp::PingBody ping{.sent_us = stamp_of(output.now), .reserved = 0};
  const std::size_t short_bytes = pdp::kPingBytesMin + trailer_bytes_;
  if (bytes <= short_bytes) {
    constexpr std::array<std::byte, pdp::kPingBytesMin - sizeof(pdp::FrameHeader) - sizeof ping>
        zeros{};
    say(output, pdp::FrameType::kPing, ping, zeros);
  } else {
    const auto frame = std::span(probe_).first(bytes);
    // The trailer of a shorter one may stand where zeros have to be.
    std::ranges::fill(frame, std::byte{0});
    pdp::encode_frame(frame, pdp::FrameType::kPing, connection_, ping, has_key_);
    if (has_key_) sealer_.seal(frame, keys_.producer, ++packets_sent_);
    put(output, frame);
    idle_until_ = output.now + keep_alive_ns_;
  }
  if (unanswered_ == kNever) unanswered_ = output.now;
}

void SessionCore::poll_close(Output& output) {
  if (state_ != SessionState::kClosing || !holds_nothing()) return;
  if (!close_.is_on()) close_.start(output.now, rtt_.timeout_ns(), kTimeoutMaxNs);
  if (!close_.is_due(output.now)) return;
  say(output, pdp::FrameType::kClose, pdp::CloseBody{.next = ring_.end_sequence(), .reserved = 0});
  close_.said(output.now);
  if (unanswered_ == kNever) unanswered_ = output.now;
}

FrameId SessionCore::next_frame() const {
  if (loss_.next_lost() != kNone) return loss_.next_lost();
  return queued_ == 0 ? kNone : ring_.id_at(ring_.size() - queued_);
}

// The first frame that the node has not, if it is to be sent again: what closes the gap needs no
// credit, whatever else was found lost before it.
FrameId SessionCore::missed_first() const {
  const std::size_t place = ring_.place_behind(received_);
  if (place == ring_.size()) return kNone;
  const FrameId id = ring_.id_at(place);
  return ring_[id].state == FrameState::kLost && ring_[id].end() <= limit_ ? id : kNone;
}

bool SessionCore::may_send(const FrameEntry& entry) const {
  if (entry.end() > limit_) return false;
  return loss_.in_flight_bytes() + entry.frame_bytes() + trailer_bytes_ <= credit_bytes_;
}

void SessionCore::poll_frames(Output& output) {
  window_was_full_ = false;
  blocked_ = false;
  has_more_ = false;
  for (FrameId id = next_frame(); id != kNone; id = next_frame()) {
    if (level_ != pdp::Level::kNone) {
      window_was_full_ = loss_.in_flight() >= congestion_.window();
      if (window_was_full_) return;
    }
    if (!fit(id)) return;
    if (level_ != pdp::Level::kNone && !may_send(ring_[id])) {
      id = missed_first();
      blocked_ = id == kNone;
      if (blocked_ || !fit(id)) return;
    }
    if (!send_frame(id, output)) {
      has_more_ = true;
      return;
    }
  }
}

// Makes the frame one that the path takes. False: there is no place for its pieces now.
bool SessionCore::fit(FrameId id) {
  if (ring_[id].frame_bytes() <= message_frame_bytes_max()) return true;
  const std::size_t place = ring_.place_behind(ring_[id].sequence);
  const std::size_t frames = ring_.size();
  const FrameRing::Split split = ring_.split(place, message_frame_bytes_max());
  if (split == FrameRing::Split::kNoPlace) return false;
  if (ring_.size() != frames) {
    if (ring_[id].state == FrameState::kLost) {
      loss_.split(id, ring_.id_at(place + 1));
    } else {
      ++queued_;
    }
  }
  if (split == FrameRing::Split::kTooLarge) give_up(place, Outcome::kTooLarge);
  return true;
}

// False: there is no room for it before the next poll.
bool SessionCore::send_frame(FrameId id, Output& output) {
  if (output.is_full()) return false;
  const FrameEntry& entry = ring_[id];
  const std::size_t bytes = entry.frame_bytes() + trailer_bytes_;
  std::span<std::byte> frame;
  if (ring_.lies_whole(id, has_key_)) {
    frame = ring_.buffer(entry.buffer).first(bytes);
  } else {
    if (composed_count_ == composed_max_) return false;
    frame = std::span(composed_).subspan(composed_count_++ * ring_.buffer_bytes(), bytes);
    if (!entry.skip) {
      ring_.compose(
          id, frame.subspan(pdp::kDataHeadBytes, bytes - pdp::kDataHeadBytes - trailer_bytes_));
    }
  }
  if (entry.state == FrameState::kQueued) {
    CHECK_GT(queued_, 0U);
    --queued_;
  }
  ++statistics_.frames_sent;
  if (entry.transmissions != 0) ++statistics_.frames_resent;
  loss_.sent(id, output.now);
  pdp::encode_frame(frame, entry.skip ? pdp::FrameType::kSkip : pdp::FrameType::kData, connection_,
                    pdp::DataBody{.sequence = entry.sequence,
                                  .message_count = entry.messages,
                                  .sent_us = stamp_of(output.now)},
                    has_key_);
  if (has_key_) sealer_.seal(frame, keys_.producer, ++packets_sent_);
  put(output, frame);
  if (level_ == pdp::Level::kNone) {
    CHECK(loss_.received(id));
    ++sent_without_level_;
    return true;
  }
  idle_until_ = output.now + keep_alive_ns_;
  if (unanswered_ == kNever) unanswered_ = output.now;
  return true;
}

MonotonicNanos SessionCore::next_deadline() const {
  if (has_more_ || sent_without_level_ != 0) return kAtOnce;
  MonotonicNanos next = handshake_.deadline();
  if (message_timeout_ns_ != 0 && held_messages_ != 0) next = std::min(next, expire_at_);
  if (!is_connected()) return next;
  next = std::min({next, loss_.deadline(rtt_), path_.deadline(), idle_until_, ping_.deadline(),
                   ask_.deadline(), close_.deadline()});
  if (queued_ == 0 && !batcher_.empty() && ring_.has_place()) {
    next = std::min(next, batcher_.oldest_opened() + linger_ns_);
  }
  if (unanswered_ != kNever) next = std::min(next, unanswered_ + silence_ns_);
  if (challenge_) next = kAtOnce;
  return next;
}

}  // namespace penstock::client
