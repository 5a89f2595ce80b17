#include "dataplane/door/pdp/node/handshake.h"

#include <algorithm>

namespace penstock::pdp {
namespace {

constexpr std::uint32_t kAnswersAtOnce = 1024;
constexpr std::uint32_t kRetryFullMs = 1000;

CookieClaim claim_of(const Peer& from, const Nonce& nonce, std::uint64_t issued_ns) {
  return {.address = from.address.bytes, .nonce = nonce, .issued_ns = issued_ns, .port = from.port};
}

}  // namespace

Handshake::Handshake(const NodeOptions& options, SessionTable& sessions, ProducerTable& producers,
                     Sequencer& sequencer, Acknowledger& acknowledger, FrameSender& sender,
                     Secrets& secrets)
    : options_(options),
      sessions_(sessions),
      producers_(producers),
      sequencer_(sequencer),
      acknowledger_(acknowledger),
      sender_(sender),
      secrets_(secrets),
      cookies_(options.cookie_secret),
      answers_(options.answers_per_second, kAnswersAtOnce) {}

FrameFate Handshake::take_hello(const Peer& from, const Frame& frame, MonotonicNanos now) {
  if (!answers_.take(now)) return FrameFate::kNoAnswer;
  const auto hello = body_of<HelloBody>(frame);
  const auto issued_ns = static_cast<std::uint64_t>(now.value);
  const CookieBody body{.nonce = hello.nonce,
                        .issued_ns = issued_ns,
                        .cookie = cookies_.make(claim_of(from, hello.nonce, issued_ns)),
                        .echoed_us = hello.sent_us,
                        .shard = options_.shard,
                        .shards = options_.shards,
                        .boot = options_.boot};
  return sender_.send(from, FrameType::kCookie, 0, body) ? FrameFate::kHelloAnswered
                                                         : FrameFate::kNoAnswer;
}

std::uint64_t Handshake::number_of(const Frame& open) {
  const OpenNames names = names_of(open);
  return session_number(names.key, names.session);
}

FrameFate Handshake::take_open(const Peer& from, const Frame& frame,
                               std::span<const std::byte> datagram, MonotonicNanos now) {
  const auto body = body_of<OpenBody>(frame);
  switch (cookies_.check(claim_of(from, body.nonce, body.issued_ns), body.cookie, now)) {
    case CookieFate::kRight: break;
    case CookieFate::kStale: return FrameFate::kOpenStale;
    case CookieFate::kWrong: return FrameFate::kBadCookie;
  }
  if (!is_acceptable(body)) return refuse(from, body, RefuseReason::kBadField);
  if (ending_) return refuse(from, body, RefuseReason::kEnding);
  const auto key = judge_key(from, frame, datagram);
  if (!key) return refuse(from, body, key.error());
  return open({.from = from, .body = body, .number = number_of(frame), .key = *key, .now = now});
}

// The key that the OPEN is sealed with; nullptr: it has none and needs none.
std::expected<const ProducerKey*, RefuseReason> Handshake::judge_key(
    const Peer& from, const Frame& frame, std::span<const std::byte> datagram) {
  const auto body = body_of<OpenBody>(frame);
  if (!frame.sealed) {
    if (body.key_bytes != 0) return std::unexpected(RefuseReason::kKeyWrong);
    const bool needed = std::ranges::any_of(options_.key_networks, [&](const IpNetwork& network) {
      return network.contains(from.address);
    });
    if (needed) return std::unexpected(RefuseReason::kKeyNeeded);
    return nullptr;
  }
  const ProducerKey* key =
      options_.keys == nullptr ? nullptr : options_.keys->find(names_of(frame).key);
  if (key == nullptr || frame.packet != 0 ||
      !sender_.sealer().verify(datagram, open_key(*key, body.nonce, body.cookie))) {
    return std::unexpected(RefuseReason::kKeyWrong);
  }
  return key;
}

FrameFate Handshake::refuse(const Peer& to, const OpenBody& open, RefuseReason reason) {
  const RefuseBody body{.nonce = open.nonce,
                        .reason = reason,
                        .reserved = 0,
                        .retry_ms = reason == RefuseReason::kFull ? kRetryFullMs : 0};
  sender_.send(to, FrameType::kRefuse, 0, body);  // unsent, the producer asks again
  return FrameFate::kOpenRefused;
}

FrameFate Handshake::open(const Opening& opening) {
  Session* session = place(opening);
  if (session == nullptr) return refuse(opening.from, opening.body, RefuseReason::kFull);
  const bool again = session->cookie_issued_ns != 0 && session->nonce == opening.body.nonce;
  if (again) return accept(*session);
  if (opening.body.issued_ns <= session->cookie_issued_ns) return FrameFate::kOpenStale;
  connect(*session, opening);
  return accept(*session);
}

// The session's place, found or made.
Session* Handshake::place(const Opening& opening) {
  const SessionNumber number(opening.number);
  auto producer = producers_.find(number);
  Session* known = producer ? sessions_.of_producer(*producer) : nullptr;
  if (known != nullptr) return known;
  // Who is refused takes no remembered session's place.
  if (sessions_.open_sessions() == sessions_.capacity()) return nullptr;
  if (!producer) {
    auto added = producers_.add(number, opening.body.oldest);
    if (!added) return nullptr;
    producer = *added;
  }
  producers_.pin(*producer);
  return &sessions_.open(*producer);
}

// A new connection, which ends the one before it.
void Handshake::connect(Session& session, const Opening& opening) {
  sequencer_.forget_held(session);
  if (session.cookie_issued_ns != 0) sessions_.renew(session);
  const OpenBody& body = opening.body;
  session.level = body.level;
  session.heard = opening.now;
  session.peer = opening.from;
  session.candidate = {};
  session.missing.clear();
  session.limit = 0;
  session.closing = false;
  session.closed_at = MonotonicNanos(0);
  session.echoed_at = MonotonicNanos(0);
  session.probe_bytes = 0;
  session.nonce = body.nonce;
  session.cookie_issued_ns = body.issued_ns;
  secrets_.fill(session.node_nonce);
  session.sealed = opening.key != nullptr;
  session.packet = 0;
  session.replays = {};
  if (session.sealed) {
    const ProducerKey& key = *opening.key;
    session.producer_key = producer_frames_key(key, body.nonce, body.cookie, session.node_nonce);
    session.node_key = node_frames_key(key, body.nonce, body.cookie, session.node_nonce);
  }
  const std::uint64_t next = producers_.at(session.producer).next;
  if (body.oldest > next) sequencer_.skip_to(session, body.oldest);
}

FrameFate Handshake::accept(Session& session) {
  const Producer& producer = producers_.at(session.producer);
  const AcceptBody body{.nonce = session.nonce,
                        .node_nonce = session.node_nonce,
                        .session = producer.session.value,
                        .boot = options_.boot,
                        .next = producer.next,
                        .durable = producer.durable,
                        .limit = acknowledger_.grant(session),
                        .credit_bytes = options_.credit_bytes,
                        .idle_ms = static_cast<std::uint32_t>(options_.idle_ns / 1'000'000),
                        .frame_bytes_max = frame_bytes_max(session.peer, options_),
                        .shard = options_.shard,
                        .shards = options_.shards,
                        .reserved0 = 0,
                        .lost = session.lost,
                        .reserved1 = 0};
  return sender_.send(session, FrameType::kAccept, body) ? FrameFate::kOpenAccepted
                                                         : FrameFate::kNoAnswer;
}

}  // namespace penstock::pdp
