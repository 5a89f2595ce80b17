#include "tests/unit/dataplane/client/fake_node.h"

#include "base/check.h"
#include "storage/format/run.h"

namespace penstock::client::test {
namespace {

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class Body>
Bytes frame_of(pdp::FrameType type, std::uint64_t connection, const Body& body, const Bytes& tail,
               bool sealed) {
  Bytes frame(sizeof(pdp::FrameHeader) + sizeof body + tail.size() +
              (sealed ? sizeof(pdp::Trailer) : 0));
  std::ranges::copy(tail, frame.begin() + sizeof(pdp::FrameHeader) + sizeof body);
  pdp::encode_frame(std::span(frame), type, connection, body, sealed);
  return frame;
}

// Messages as storage's own reader finds them, behind a run's head.
std::vector<StoredMessage> messages_of(const pdp::DataBody& data,
                                       std::span<const std::byte> messages) {
  Bytes run(sizeof(RunHeader) + sizeof(Capture) + messages.size());
  store(run, 0,
        RunHeader{.length = static_cast<std::uint32_t>(run.size()),
                  .message_count = data.message_count,
                  .capture_count = 1});
  std::ranges::copy(messages, run.begin() + sizeof(RunHeader) + sizeof(Capture));
  RunReader reader(run);
  std::vector<StoredMessage> found;
  while (const auto message = reader.next()) {
    found.push_back({data.sequence + found.size(), std::string(message->subject),
                     text(message->payload), text(message->headers)});
  }
  CHECK(reader.ok());
  CHECK_EQ(found.size(), data.message_count);
  return found;
}

}  // namespace

FakeNode::FakeNode(const FakeNodeOptions& node_options, std::uint64_t seed)
    : refuse_ms(node_options.refuse_ms),
      refuses(node_options.refuses),
      options(node_options),
      rng_(seed),
      boot_(rng_.next()) {}

template <class Body>
void FakeNode::say(FakeSession& session, pdp::FrameType type, const Body& body, Bytes tail) {
  const bool sealed = !options.key_name.empty();
  Bytes frame = frame_of(type, session.connection, body, tail, sealed);
  if (sealed) pdp::Sealer().seal(frame, session.node_key, ++session.packets_sent);
  said.push_back(std::move(frame));
}

void FakeNode::receive(std::span<const std::byte> datagram) {
  const auto frame = pdp::decode_frame(datagram, pdp::Sender::kProducer);
  CHECK(frame.has_value());  // the producer's end says nothing that is none
  if (frame->header.type == pdp::FrameType::kHello) return hello(*frame);
  if (frame->header.type == pdp::FrameType::kOpen) return open(*frame, datagram);
  const auto connection = connections_.find(frame->header.connection);
  if (connection == connections_.end()) {
    if (datagram.size() < sizeof(pdp::FrameHeader) + sizeof(pdp::ResetBody)) return;
    if (!resets_strangers) return;
    ++resets;
    said.push_back(frame_of(pdp::FrameType::kReset, frame->header.connection,
                            pdp::ResetBody{.boot = boot_, .reserved = 0}, {}, false));
    return;
  }
  FakeSession& session = sessions.at(connection->second);
  if (!options.key_name.empty()) {
    if (!frame->sealed || session.replays.look(frame->packet) != pdp::Replay::kNew) {
      ++dropped;
      return;
    }
    CHECK(pdp::Sealer().verify(datagram, session.producer_key));
    session.replays.mark(frame->packet);
  }
  switch (frame->header.type) {
    case pdp::FrameType::kData:
    case pdp::FrameType::kSkip: return data(session, *frame, datagram);
    case pdp::FrameType::kPing:
      session.owes_ack = true;
      session.echo_us = pdp::body_of<pdp::PingBody>(*frame).sent_us;
      session.probe_bytes = frame->header.length;
      return;
    case pdp::FrameType::kClose: return close(session, pdp::body_of<pdp::CloseBody>(*frame));
    case pdp::FrameType::kSubject: {
      const auto subject = pdp::body_of<pdp::SubjectBody>(*frame);
      const bool bad = pdp::subject_of(*frame).starts_with("reject.");
      return say(
          session, pdp::FrameType::kCapture,
          pdp::CaptureBody{.request = subject.request,
                           .reason = bad ? pdp::RejectReason::kNoStream : pdp::RejectReason::kNone,
                           .streams = bad ? std::uint16_t{0} : std::uint16_t{1}});
    }
    default: return;
  }
}

void FakeNode::hello(const pdp::Frame& frame) {
  const auto hello = pdp::body_of<pdp::HelloBody>(frame);
  pdp::CookieBody cookie{.nonce = hello.nonce,
                         .issued_ns = ++issued_ns_,
                         .cookie = {},
                         .echoed_us = hello.sent_us,
                         .shard = options.shard,
                         .shards = options.shards,
                         .boot = boot_};
  store(cookie.cookie, 0, boot_ ^ issued_ns_);
  said.push_back(frame_of(pdp::FrameType::kCookie, 0, cookie, {}, false));
}

void FakeNode::open(const pdp::Frame& frame, std::span<const std::byte> datagram) {
  const auto open = pdp::body_of<pdp::OpenBody>(frame);
  const auto names = pdp::names_of(frame);
  CHECK(pdp::is_acceptable(open));
  ++opens;
  if (load<std::uint64_t>(open.cookie) != (boot_ ^ open.issued_ns)) return;
  if (refuses) {
    said.push_back(frame_of(pdp::FrameType::kRefuse, 0,
                            pdp::RefuseBody{.nonce = open.nonce,
                                            .reason = pdp::RefuseReason::kFull,
                                            .reserved = 0,
                                            .retry_ms = refuse_ms},
                            {}, false));
    return;
  }
  CHECK_EQ(names.key, std::string_view(options.key_name));
  if (!options.key_name.empty()) {
    CHECK(pdp::Sealer().verify(datagram, pdp::open_key(options.key, open.nonce, open.cookie)));
  }
  const std::uint64_t number = pdp::session_number(names.key, names.session);
  FakeSession& session = sessions[number];
  if (session.connection != 0 && session.nonce == open.nonce) {
    said.push_back(session.accept);  // repeated
    return;
  }
  session.name = text(names.session);
  session.level = open.level;
  accept(session, open, number);
}

void FakeNode::accept(FakeSession& session, const pdp::OpenBody& open, std::uint64_t number) {
  connections_.erase(session.connection);
  session.connection = rng_.next() | 1U;
  connections_[session.connection] = number;
  session.nonce = open.nonce;
  session.held.clear();
  session.owes_ack = false;
  session.closing = false;
  if (!session.seen_any) {
    session.received = session.written = session.durable = open.oldest;
    session.seen_any = true;
  } else if (open.oldest > session.received) {
    session.lost += open.oldest - session.received;
    session.received = open.oldest;
  }
  session.limit = session.received + options.window_messages;
  pdp::AcceptBody accept{.nonce = open.nonce,
                         .node_nonce = {},
                         .session = number,
                         .boot = boot_,
                         .next = session.received,
                         .durable = session.durable,
                         .limit = session.limit,
                         .credit_bytes = options.credit_bytes,
                         .idle_ms = options.idle_ms,
                         .frame_bytes_max = options.frame_bytes_max,
                         .shard = options.shard,
                         .shards = options.shards,
                         .reserved0 = 0,
                         .lost = session.lost,
                         .reserved1 = 0};
  store(accept.node_nonce, 0, rng_.next());
  session.packets_sent = 0;
  session.replays = {};
  session.producer_key =
      pdp::producer_frames_key(options.key, open.nonce, open.cookie, accept.node_nonce);
  session.node_key = pdp::node_frames_key(options.key, open.nonce, open.cookie, accept.node_nonce);
  say(session, pdp::FrameType::kAccept, accept);
  session.accept = said.back();
}

void FakeNode::data(FakeSession& session, const pdp::Frame& frame,
                    std::span<const std::byte> datagram) {
  const auto data = pdp::body_of<pdp::DataBody>(frame);
  const std::uint64_t end = data.sequence + data.message_count;
  session.echo_us = data.sent_us;
  session.owes_ack = true;
  if (frame.header.type == pdp::FrameType::kData) {
    const auto run = pdp::check_run(pdp::messages_of(frame), data.message_count);
    CHECK(run.has_value());
    if (run->subject.starts_with("reject.")) {
      say(session, pdp::FrameType::kReject,
          pdp::RejectBody{.sequence = data.sequence,
                          .message_count = data.message_count,
                          .reason = pdp::RejectReason::kNoStream,
                          .reserved = 0});
      return;
    }
  }
  if (end > session.limit && session.level != pdp::Level::kNone) {
    ++over_limit;
    return;
  }
  if (end <= session.received) {
    ++duplicates;
    return;
  }
  if (data.sequence < session.received) {
    ++dropped;  // overlaps
    return;
  }
  if (session.level == pdp::Level::kNone) {
    session.lost += data.sequence - session.received;
    take(session, datagram);
    return;
  }
  if (data.sequence > session.received) {
    hold(session, data, datagram);
    return;
  }
  take(session, datagram);
  take_held(session);
}

// Unless it overlaps another: a whole frame may come late, when its pieces were sent.
void FakeNode::hold(FakeSession& session, const pdp::DataBody& data,
                    std::span<const std::byte> datagram) {
  const auto next = session.held.lower_bound(data.sequence);
  if (next != session.held.end() && next->first < data.sequence + data.message_count) return;
  if (next != session.held.begin()) {
    const auto before = std::prev(next);
    const auto held = load<pdp::DataBody>(before->second, sizeof(pdp::FrameHeader));
    if (held.sequence + held.message_count > data.sequence) return;
  }
  session.held.emplace(data.sequence, Bytes(datagram.begin(), datagram.end()));
}

void FakeNode::take(FakeSession& session, std::span<const std::byte> datagram) {
  const auto frame = pdp::decode_frame(datagram, pdp::Sender::kProducer);
  const auto data = pdp::body_of<pdp::DataBody>(*frame);
  if (frame->header.type == pdp::FrameType::kData) {
    for (auto& message : messages_of(data, pdp::messages_of(*frame))) {
      session.stored.push_back(std::move(message));
    }
  } else {
    session.lost += data.message_count;
  }
  session.received = data.sequence + data.message_count;
}

void FakeNode::take_held(FakeSession& session) {
  while (!session.held.empty() && session.held.begin()->first <= session.received) {
    const auto next = session.held.begin();
    if (next->first == session.received) take(session, next->second);
    session.held.erase(next);
  }
}

std::uint64_t FakeNode::mark(const FakeSession& session) const {
  switch (session.level) {
    case pdp::Level::kNone:
    case pdp::Level::kReceived: return session.received;
    case pdp::Level::kWritten: return session.written;
    case pdp::Level::kDurable: return session.durable;
  }
  return 0;
}

void FakeNode::close(FakeSession& session, const pdp::CloseBody& close) {
  if (session.level == pdp::Level::kNone && close.next > session.received) {
    session.lost += close.next - session.received;
    session.received = close.next;
  }
  session.closing = true;
  session.close_at = close.next;
}

void FakeNode::ack(FakeSession& session) {
  session.limit = std::max(session.limit, session.received + options.window_messages);
  std::vector<pdp::AckRange> ranges;
  std::size_t held_bytes = 0;
  for (const auto& [sequence, bytes] : session.held) {
    const auto data = load<pdp::DataBody>(bytes, sizeof(pdp::FrameHeader));
    const std::uint64_t end = sequence + data.message_count;
    held_bytes += bytes.size();
    if (!ranges.empty() && ranges.back().end == sequence) {
      ranges.back().end = end;
    } else if (ranges.size() < pdp::kAckRangesMax) {
      ranges.push_back({sequence, end});
    } else {
      break;
    }
  }
  Bytes tail(ranges.size() * sizeof(pdp::AckRange));
  if (!tail.empty()) std::memcpy(tail.data(), ranges.data(), tail.size());
  const std::uint64_t credit =
      options.credit_bytes - std::min<std::uint64_t>(options.credit_bytes, held_bytes);
  say(session, pdp::FrameType::kAck,
      pdp::AckBody{.received = session.received,
                   .written = session.written,
                   .durable = session.durable,
                   .limit = session.limit,
                   .lost = session.lost,
                   .credit_bytes = static_cast<std::uint32_t>(credit),
                   .echoed_us = session.echo_us,
                   .delay_us = 0,
                   .probe_bytes = session.probe_bytes,
                   .state = pdp::CreditState::kFlows,
                   .range_count = static_cast<std::uint8_t>(ranges.size()),
                   .reserved = 0},
      tail);
  session.owes_ack = false;
  session.echo_us = 0;
  session.probe_bytes = 0;
}

void FakeNode::answer() {
  for (auto& [number, session] : sessions) {
    if (session.connection == 0) continue;
    const bool silent = session.level == pdp::Level::kNone && session.probe_bytes == 0;
    if (session.owes_ack && !silent) ack(session);
    if (session.closing && session.close_at <= mark(session)) {
      session.closing = false;
      say(session, pdp::FrameType::kClosed,
          pdp::ClosedBody{
              .received = session.received, .durable = session.durable, .lost = session.lost});
    }
  }
}

void FakeNode::make_durable(bool all) {
  for (auto& [number, session] : sessions) {
    if (session.durable == session.received) continue;
    session.durable = all ? session.received : session.written;
    session.written = session.received;
    if (session.connection != 0 && session.level > pdp::Level::kReceived) session.owes_ack = true;
  }
}

void FakeNode::crash() {
  boot_ = rng_.next();
  forget_connections();
  for (auto& [number, session] : sessions) {
    session.received = session.written = session.durable;
    session.lost = std::min(session.lost, session.received);
    std::erase_if(session.stored, [&](const StoredMessage& message) {
      return message.sequence >= session.durable;
    });
  }
}

void FakeNode::forget_connections() {
  connections_.clear();
  for (auto& [number, session] : sessions) {
    session.connection = 0;
    session.held.clear();
    session.owes_ack = false;
  }
}

void FakeNode::say_go_away(pdp::GoAwayReason reason, std::string_view endpoint) {
  const auto bytes = std::as_bytes(std::span(endpoint));
  for (auto& [number, session] : sessions) {
    if (session.connection == 0) continue;
    say(session, pdp::FrameType::kGoAway,
        pdp::GoAwayBody{.reason = reason,
                        .endpoint_bytes = static_cast<std::uint16_t>(endpoint.size()),
                        .deadline_ms = 1000},
        Bytes(bytes.begin(), bytes.end()));
  }
}

}  // namespace penstock::client::test
