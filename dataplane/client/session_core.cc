// States of the session, and what is given up.
#include "dataplane/client/session_core.h"

namespace penstock::client {
namespace {

// So much later than its time a message may expire: a part of that time.
constexpr std::int64_t kLatePart = 64;
constexpr std::int64_t kLateMaxNs = kNanosPerSecond;

FrameRingOptions ring_options(const SessionOptions& options) {
  return {
      .frames = options.frames,
      .buffer_bytes = options.path.frame_bytes_max,
      .messages_per_frame_max = options.keeps_opaques ? options.batch.messages_per_frame_max : 0};
}

// A frame expires as a whole, when its newest message does.
BatcherOptions batch_options(const SessionOptions& options) {
  BatcherOptions batch = options.batch;
  if (options.message_timeout_ns != 0) {
    const std::int64_t late_ns = std::min(options.message_timeout_ns / kLatePart, kLateMaxNs);
    batch.span_max_ns = std::max(options.linger_ns, late_ns);
  }
  return batch;
}

}  // namespace

SessionCore::SessionCore(const SessionOptions& options, SessionListener& listener, Rng& rng)
    : listener_(listener),
      level_(options.level),
      has_key_(!options.key_name.empty()),
      trailer_bytes_(has_key_ ? sizeof(pdp::Trailer) : 0),
      linger_ns_(options.linger_ns),
      message_timeout_ns_(options.message_timeout_ns),
      silence_ns_(options.silence_ns),
      handshake_(options, rng, sealer_),
      ring_(ring_options(options)),
      batcher_(ring_, batch_options(options)),
      loss_(ring_, trailer_bytes_),
      congestion_(static_cast<std::uint32_t>(options.frames)),
      path_(options.path),
      composed_max_(std::min(kComposedPerPoll, options.frames)),
      composed_(composed_max_ * options.path.frame_bytes_max),
      probe_(options.path.frame_bytes_max) {
  CHECK_GE(linger_ns_, 0);
  CHECK_GE(message_timeout_ns_, 0);
  CHECK_GT(silence_ns_, 0);
}

void SessionCore::open(MonotonicNanos now, Path path) {
  if (path == Path::kAnother) {
    connection_ = 0;
    same_path_ = false;
  }
  if (state_ != SessionState::kOpen && state_ != SessionState::kClosing) {
    state_ = SessionState::kOpening;
  }
  opened_at_ = now;
  handshake_.start(now);
}

void SessionCore::reopen(MonotonicNanos now) {
  if (handshake_.is_on()) return;
  opened_at_ = std::max(now, opened_at_ + kOpeningsApartNs);
  handshake_.start(opened_at_);
}

void SessionCore::close() {
  if (state_ == SessionState::kClosed) return;
  state_ = SessionState::kClosing;
  flush();
  if (holds_nothing() && !is_connected()) end();
}

void SessionCore::end() {
  state_ = SessionState::kClosed;
  connection_ = 0;
  handshake_.stop();
  listener_.on_event(SessionEvent::kClosed);
}

void SessionCore::abandon() {
  if (state_ == SessionState::kClosed) return;
  purge(true);
  drop_sent_without_level();
  // SKIPs that nobody will be sent any more make room for the frames that were open still.
  while (!ring_.empty()) {
    loss_.forget(ring_.id_at(0));
    ring_.pop_front();
  }
  queued_ = 0;
  purge(true);
  CHECK_EQ(held_messages_, 0U);
  end();
}

void SessionCore::flush() {
  const std::size_t frames = ring_.size();
  batcher_.seal_all();
  take_sealed(frames);
}

Appended SessionCore::append(const OutgoingMessage& message, std::uint64_t opaque,
                             MonotonicNanos queued) {
  if (state_ == SessionState::kClosing || state_ == SessionState::kClosed) return Appended::kClosed;
  const std::size_t frames = ring_.size();
  const Appended appended = batcher_.append(message, opaque, message_frame_bytes_max(), queued);
  take_sealed(frames);
  if (appended == Appended::kDone) took(1, message.payload.size(), queued);
  return appended;
}

AppendedAll SessionCore::append_all(std::string_view subject,
                                    std::span<const PlainMessage> messages, MonotonicNanos queued) {
  if (state_ == SessionState::kClosing || state_ == SessionState::kClosed) {
    return {.outcome = Appended::kClosed};
  }
  const std::size_t frames = ring_.size();
  const AppendedAll appended =
      batcher_.append_all(subject, messages, message_frame_bytes_max(), queued);
  take_sealed(frames);
  std::size_t bytes = 0;
  for (const auto& message : messages.first(appended.count)) bytes += message.payload.size();
  if (appended.count != 0) took(appended.count, bytes, queued);
  return appended;
}

void SessionCore::took(std::size_t messages, std::size_t bytes, MonotonicNanos queued) {
  if (message_timeout_ns_ != 0) expire_at_ = std::min(expire_at_, queued + message_timeout_ns_);
  held_messages_ += messages;
  statistics_.messages += messages;
  statistics_.message_bytes += bytes;
}

void SessionCore::ask(std::string_view subject, MonotonicNanos now) {
  CHECK(!subject.empty());
  CHECK_LE(subject.size(), asked_.size());
  std::ranges::copy(std::as_bytes(std::span(subject)), asked_.begin());
  asked_bytes_ = subject.size();
  ++request_;
  ask_.start(now, rtt_.timeout_ns(), kTimeoutMaxNs);
}

void SessionCore::report(const FrameEntry& entry, Outcome outcome, pdp::RejectReason reason) {
  CHECK_GE(held_messages_, entry.messages);
  held_messages_ -= entry.messages;
  statistics_.outcomes[static_cast<std::size_t>(outcome)] += entry.messages;
  const bool may_be_stored =
      entry.transmissions != 0 && (outcome == Outcome::kExpired || outcome == Outcome::kPurged ||
                                   outcome == Outcome::kTooLarge);
  const auto opaques = ring_.opaques(entry.buffer);
  listener_.on_report({.sequence = entry.sequence,
                       .messages = entry.messages,
                       .outcome = outcome,
                       .reason = reason,
                       .may_be_stored = may_be_stored,
                       .opaques = opaques.empty()
                                      ? opaques
                                      : opaques.subspan(entry.first_message, entry.messages)});
}

// The frame stays in the order as a SKIP, which is sent as soon as may be if the frame was.
void SessionCore::give_up(std::size_t place, Outcome outcome, pdp::RejectReason reason) {
  const FrameId id = ring_.id_at(place);
  if (ring_[id].skip) return;
  report(ring_[id], outcome, reason);
  if (ring_[id].state == FrameState::kInFlight) loss_.resend(id);
  ring_.give_up(id);
}

// Frames that nobody else knows of take their sequences with them.
void SessionCore::give_up_unsent(std::size_t place, std::size_t frames, Outcome outcome) {
  CHECK_LE(frames, queued_);
  for (std::size_t i = place; i < place + frames; ++i) {
    const FrameEntry& entry = ring_[ring_.id_at(i)];
    if (!entry.skip) report(entry, outcome, pdp::RejectReason::kNone);
  }
  ring_.erase(place, frames);
  queued_ -= frames;
}

void SessionCore::purge(bool sent_too) {
  do {
    flush();
    std::size_t place = sent_without_level_;
    while (place < ring_.size() && ring_[ring_.id_at(place)].transmissions != 0) {
      if (sent_too) give_up(place, Outcome::kPurged);
      ++place;
    }
    give_up_unsent(place, ring_.size() - place, Outcome::kPurged);
  } while (!batcher_.empty() && ring_.has_place());
}

void SessionCore::expire(MonotonicNanos now) {
  const MonotonicNanos oldest = now + -message_timeout_ns_;
  const std::size_t frames = ring_.size();
  batcher_.seal_opened_until(oldest);
  take_sealed(frames);
  std::size_t place = ring_.place_behind(expired_until_);
  for (; place < ring_.size(); ++place) {
    const FrameEntry& entry = ring_[ring_.id_at(place)];
    if (entry.queued > oldest || entry.transmissions == 0) break;
    give_up(place, Outcome::kExpired);
    expired_until_ = entry.end();
  }
  std::size_t unsent = place;
  while (unsent < ring_.size() && ring_[ring_.id_at(unsent)].transmissions == 0 &&
         ring_[ring_.id_at(unsent)].queued <= oldest) {
    ++unsent;
  }
  give_up_unsent(place, unsent - place, Outcome::kExpired);
  MonotonicNanos next = std::min(now, batcher_.oldest_opened());
  if (place < ring_.size()) next = std::min(next, ring_[ring_.id_at(place)].queued);
  expire_at_ = std::max(next + message_timeout_ns_, now + kTimerGranularityNs);
}

void SessionCore::pop_finished() {
  const std::uint64_t mark = level_mark();
  while (!ring_.empty() && ring_.front().end() <= mark &&
         ring_.front().state == FrameState::kReceived) {
    if (!ring_.front().skip) {
      report(ring_.front(), Outcome::kAcknowledged, pdp::RejectReason::kNone);
    }
    ring_.pop_front();
  }
}

SessionStatistics SessionCore::statistics() const {
  SessionStatistics statistics = statistics_;
  statistics.rtt_min_ns = static_cast<std::uint64_t>(rtt_.min_ns());
  statistics.rtt_smoothed_ns = static_cast<std::uint64_t>(rtt_.smoothed_ns());
  statistics.window_frames = congestion_.window();
  statistics.credit_bytes = credit_bytes_;
  statistics.limit = limit_;
  statistics.frame_bytes_max = path_.frame_bytes();
  statistics.path_fallbacks = path_.fallbacks();
  return statistics;
}

std::string_view name_of(DatagramDrop drop) {
  switch (drop) {
    case DatagramDrop::kTruncated: return "truncated";
    case DatagramDrop::kBadMagic: return "bad_magic";
    case DatagramDrop::kBadLength: return "bad_length";
    case DatagramDrop::kBadType: return "bad_type";
    case DatagramDrop::kBadField: return "bad_field";
    case DatagramDrop::kSealMissing: return "seal_missing";
    case DatagramDrop::kSealUnexpected: return "seal_unexpected";
    case DatagramDrop::kSealWrong: return "seal_wrong";
    case DatagramDrop::kReplayed: return "replayed";
    case DatagramDrop::kStrange: return "strange";
    case DatagramDrop::kImpossible: return "impossible";
  }
  return {};
}

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAcknowledged: return "acknowledged";
    case Outcome::kSent: return "sent";
    case Outcome::kExpired: return "expired";
    case Outcome::kRejected: return "rejected";
    case Outcome::kTooLarge: return "too_large";
    case Outcome::kPurged: return "purged";
  }
  return {};
}

}  // namespace penstock::client
