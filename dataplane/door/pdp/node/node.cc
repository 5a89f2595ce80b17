#include "dataplane/door/pdp/node/node.h"

#include <cstring>

#include "base/check.h"

namespace penstock::pdp {
namespace {

constexpr std::uint32_t kResetsPerSecond = 10'000;
constexpr std::uint32_t kResetsAtOnce = 64;
constexpr std::size_t kResetBytes = sizeof(FrameHeader) + sizeof(ResetBody);
constexpr std::int64_t kClosedNs = 10 * kNanosPerSecond;  // a CLOSE is answered again
constexpr std::int64_t kChallengeEveryNs = 20'000'000;
// Some places at a time, so that each is looked at once a second: what a look costs is a line of
// memory that nothing else needs.
constexpr std::int64_t kSweepEveryNs = 1'000'000;
constexpr std::size_t kSweepsPerSecond = kNanosPerSecond / kSweepEveryNs;

FrameFate fate_of(FrameFault fault) {
  switch (fault) {
    case FrameFault::kTruncated: return FrameFate::kTruncated;
    case FrameFault::kBadMagic: return FrameFate::kBadMagic;
    case FrameFault::kBadLength: return FrameFate::kBadLength;
    case FrameFault::kBadType: return FrameFate::kBadType;
    case FrameFault::kBadField: return FrameFate::kBadField;
  }
  CHECK(false);
}

// Whether an answer by the peer's Ethernet header goes where this one came from: from that station,
// by the same VLANs.
bool leads_back(const Peer& peer, std::span<const std::byte> link) {
  constexpr std::size_t kAddress = sizeof(EthernetAddress);
  return link.size() == peer.link_bytes && link.size() >= kEthernetBytes &&
         std::memcmp(&link[kAddress], peer.link.data(), kAddress) == 0 &&
         std::memcmp(&link[2 * kAddress], &peer.link[2 * kAddress], link.size() - 2 * kAddress) ==
             0;
}

}  // namespace

PdpNode::PdpNode(NodeOptions options, const Secrets::Seed& seed, Intake& intake,
                 StreamRouter& router, LogWriter& log, Outbox& outbox, FrameAccount& account)
    : options_(std::move(options)),
      secrets_(seed),
      log_(log),
      producers_(log.producers()),
      account_(account),
      sender_(outbox, account),
      sessions_(options_.sessions, producers_.capacity(), options_.shard, secrets_),
      held_(options_.hold_bytes),
      acknowledger_(sessions_, held_, producers_, sender_, options_.credit_bytes),
      sequencer_(intake, router, log, sessions_, held_, acknowledger_, sender_, account,
                 options_.origin, options_.credit_bytes),
      handshake_(options_, sessions_, producers_, sequencer_, acknowledger_, sender_, secrets_),
      resets_(kResetsPerSecond, kResetsAtOnce) {}

unsigned PdpNode::take(const Datagram& datagram, std::span<const std::byte> link,
                       std::uint16_t port, MonotonicNanos now) {
  const std::size_t bytes = datagram.payload.size();
  const auto frame = decode_frame(datagram.payload, Sender::kProducer);
  if (frame) {
    if (const unsigned owner = owner_of(*frame); owner != options_.shard) return owner;
  }
  account_.received.add(bytes);
  if (!frame) {
    count(fate_of(frame.error()), bytes);
    return options_.shard;
  }
  const Came came{.datagram = datagram, .frame = *frame, .link = link, .port = port, .now = now};
  if (const auto fate = dispatch(came)) count(*fate, bytes);
  return options_.shard;
}

// Whoever says HELLO is answered where it came; a shard that does not exist has no sessions.
unsigned PdpNode::owner_of(const Frame& frame) const {
  unsigned owner = options_.shard;
  if (options_.shards == 1) return owner;
  if (frame.header.connection != 0) {
    owner = SessionTable::shard_of(frame.header.connection);
  } else if (frame.header.type == FrameType::kOpen) {
    owner = static_cast<unsigned>(Handshake::number_of(frame) % options_.shards);
  }
  return owner < options_.shards ? owner : options_.shard;
}

std::optional<FrameFate> PdpNode::dispatch(const Came& came) {
  switch (came.frame.header.type) {
    case FrameType::kHello: return handshake_.take_hello(peer_of(came), came.frame, came.now);
    case FrameType::kOpen:
      return handshake_.take_open(peer_of(came), came.frame, came.datagram.payload, came.now);
    default: return take_connected(came);
  }
}

std::optional<FrameFate> PdpNode::take_connected(const Came& came) {
  Session* session = sessions_.find(came.frame.header.connection);
  if (session == nullptr) return reset(came);
  if (const auto fate = judge_seal(*session, came)) return fate;
  session->heard = came.now;
  if (!session->peer.sent(came.datagram)) {
    note_path(*session, came);
  } else if (!leads_back(session->peer, came.link)) {
    const Peer from = peer_of(came);  // its router may have changed
    if (from.link_bytes != 0) {
      session->peer.link = from.link;
      session->peer.link_bytes = from.link_bytes;
    }
  }
  return take_of(*session, came);
}

std::optional<FrameFate> PdpNode::take_of(Session& session, const Came& came) {
  switch (came.frame.header.type) {
    case FrameType::kData:
    case FrameType::kSkip:
      return sequencer_.take(session, {.frame = came.frame,
                                       .bytes = came.frame.header.length,
                                       .received = came.datagram.received,
                                       .now = came.now});
    case FrameType::kPing:
      session.probe_bytes = came.frame.header.length;
      acknowledger_.note_frame(session, body_of<PingBody>(came.frame).sent_us, came.now);
      return FrameFate::kControl;
    case FrameType::kClose: return take_close(session, came);
    case FrameType::kSubject: return take_subject(session, came);
    case FrameType::kResponse: return take_response(session, came);
    default: return FrameFate::kBadType;  // decode_frame() let none through
  }
}

FrameFate PdpNode::reset(const Came& came) {
  if (came.frame.header.length >= kResetBytes && resets_.take(came.now)) {
    const ResetBody body{.boot = options_.boot, .reserved = 0};
    sender_.send(peer_of(came), FrameType::kReset, came.frame.header.connection, body);
  }
  return FrameFate::kUnknownConnection;
}

// Nothing: the frame may be believed.
std::optional<FrameFate> PdpNode::judge_seal(Session& session, const Came& came) {
  if (!session.sealed) {
    return came.frame.sealed ? std::optional(FrameFate::kBadSeal) : std::nullopt;
  }
  if (!came.frame.sealed) return FrameFate::kUnsealed;
  if (session.replays.look(came.frame.packet) != Replay::kNew) return FrameFate::kReplayed;
  if (!sender_.sealer().verify(came.datagram.payload, session.producer_key)) {
    return FrameFate::kBadSeal;
  }
  session.replays.mark(came.frame.packet);
  return std::nullopt;
}

// It came from a new address: answers go there once it is proved.
void PdpNode::note_path(Session& session, const Came& came) {
  const bool soon = came.now - session.challenged_at < kChallengeEveryNs;
  if (soon) return;
  const Peer from = peer_of(came);
  if (from.link_bytes == 0) return;
  session.candidate = from;
  session.challenge = secrets_.next();
  session.challenged_at = came.now;
  sender_.send_to(from, session, FrameType::kChallenge, ChallengeBody{.token = session.challenge});
}

FrameFate PdpNode::take_response(Session& session, const Came& came) {
  const auto body = body_of<ChallengeBody>(came.frame);
  if (session.candidate.link_bytes == 0 || !session.candidate.sent(came.datagram) ||
      body.token != session.challenge) {
    return FrameFate::kBadCookie;
  }
  session.peer = session.candidate;
  session.candidate = {};
  acknowledger_.note(session);
  return FrameFate::kControl;
}

FrameFate PdpNode::take_close(Session& session, const Came& came) {
  const auto body = body_of<CloseBody>(came.frame);
  if (session.level == Level::kNone && !sequencer_.step_to(session, body.next)) {
    return FrameFate::kOverCredit;
  }
  session.closing = true;
  session.close_next = body.next;
  log_.hurry();  // nothing follows that it would be worth waiting for
  acknowledger_.note(session);
  return FrameFate::kControl;
}

FrameFate PdpNode::take_subject(Session& session, const Came& came) {
  const auto body = body_of<SubjectBody>(came.frame);
  const auto set = sequencer_.route(subject_of(came.frame));
  const CaptureBody answer{
      .request = body.request,
      .reason = set ? RejectReason::kNone : reason_of(set.error()),
      .streams = set ? static_cast<std::uint16_t>(log_.captures().partitions_of(*set).size())
                     : std::uint16_t{0}};
  return sender_.send(session, FrameType::kCapture, answer) ? FrameFate::kControl
                                                            : FrameFate::kNoAnswer;
}

bool PdpNode::turn(MonotonicNanos now) {
  sequencer_.resume();
  const bool worked = !acknowledger_.all_told();
  acknowledger_.send(now);
  if (now >= sweep_at_) sweep(now);
  account_.sessions = sessions_.open_sessions();
  return worked;
}

void PdpNode::sweep(MonotonicNanos now) {
  sweep_at_ = now + kSweepEveryNs;
  for (std::size_t left = sessions_.capacity() / kSweepsPerSecond + 1; left > 0; --left) {
    Session& session = sessions_.at(swept_);
    swept_ = (swept_ + 1) % sessions_.capacity();
    if (session.connection != 0) forget_if_silent(session, now);
  }
}

void PdpNode::forget_if_silent(Session& session, MonotonicNanos now) {
  const bool closed = session.closed_at != MonotonicNanos(0) && now - session.closed_at > kClosedNs;
  if (!closed && now - session.heard <= options_.idle_ns) return;
  sequencer_.forget_held(session);
  producers_.unpin(session.producer);
  sessions_.close(session);
}

void PdpNode::go_away(std::uint32_t deadline_ms) {
  handshake_.end();
  const auto endpoint = std::as_bytes(std::span(options_.successor));
  const GoAwayBody body{
      .reason = options_.successor.empty() ? GoAwayReason::kDrain : GoAwayReason::kRedirect,
      .endpoint_bytes = static_cast<std::uint16_t>(endpoint.size()),
      .deadline_ms = deadline_ms};
  for (std::size_t slot = 0; slot < sessions_.capacity(); ++slot) {
    Session& session = sessions_.at(slot);
    if (session.connection == 0) continue;
    sequencer_.forget_held(session);  // not acknowledged: it goes where the producer goes
    sender_.send(session, FrameType::kGoAway, body, endpoint);  // a courtesy: unsent is no loss
  }
}

void PdpNode::on_written(const Block& block) { note_levels(block, Level::kWritten); }

// Of a log whose writes are synchronous nothing else says that the block was written.
void PdpNode::on_durable(const Block& block) {
  note_levels(block, log_.durability() == Durability::kSync ? Level::kWritten : Level::kDurable);
}

// Sessions that wait for this level or a higher one are told.
void PdpNode::note_levels(const Block& block, Level least) {
  for (const RunNote& note : block.run_notes.first(block.notes)) {
    if (note.producer == kNoProducer) continue;
    const Session* session = sessions_.of_producer(note.producer);
    if (session != nullptr && session->level >= least) acknowledger_.note(*session);
  }
}

}  // namespace penstock::pdp
