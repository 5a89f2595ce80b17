#include "dataplane/door/pdp/wire.h"

#include <optional>

#include "dataplane/door/pdp/sha256.h"

namespace penstock::pdp {
namespace {

// What can be said of a type without looking into its body.
struct TypeRule {
  std::string_view name;
  Sender sender = Sender::kProducer;
  std::size_t bytes_min = 0;  // without the trailer
  bool exact = false;         // and no more than that
  bool sealable = false;
  bool connected = false;  // the header names a connection
};

// The least DATA holds one message of no payload whose subject has one byte.
constexpr std::size_t kDataBytesMin = kDataHeadBytes + message_bytes(1, 0, 0, 0);

template <class Body>
constexpr std::size_t kBytesWith = sizeof(FrameHeader) + sizeof(Body);

constexpr std::array<TypeRule, kFrameTypes> kRules = {
    {
     {},
     {"hello", Sender::kProducer, kHelloBytesMin, false, false, false},
     {"cookie", Sender::kNode, kBytesWith<CookieBody>, true, false, false},
     {"open", Sender::kProducer, kBytesWith<OpenBody>, false, true, false},
     {"accept", Sender::kNode, kBytesWith<AcceptBody>, true, true, true},
     {"refuse", Sender::kNode, kBytesWith<RefuseBody>, true, false, false},
     {"data", Sender::kProducer, kDataBytesMin, false, true, true},
     {"skip", Sender::kProducer, kBytesWith<DataBody>, true, true, true},
     {"ack", Sender::kNode, kBytesWith<AckBody>, false, true, true},
     {"reject", Sender::kNode, kBytesWith<RejectBody>, true, true, true},
     {"subject", Sender::kProducer, kBytesWith<SubjectBody>, false, true, true},
     {"capture", Sender::kNode, kBytesWith<CaptureBody>, true, true, true},
     {"ping", Sender::kProducer, kPingBytesMin, false, true, true},
     {"close", Sender::kProducer, kBytesWith<CloseBody>, true, true, true},
     {"closed", Sender::kNode, kBytesWith<ClosedBody>, true, true, true},
     {"go_away", Sender::kNode, kBytesWith<GoAwayBody>, false, true, true},
     {"challenge", Sender::kNode, kBytesWith<ChallengeBody>, true, true, true},
     {"response", Sender::kProducer, kBytesWith<ChallengeBody>, true, true, true},
     {"reset", Sender::kNode, kBytesWith<ResetBody>, true, false, true},
     }
};

// Nothing wrong so far.
constexpr std::optional<FrameFault> kNoFault = std::nullopt;

std::optional<FrameFault> bad_field_unless(bool good) {
  return good ? kNoFault : FrameFault::kBadField;
}

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class Enum>
bool is_in(Enum value, Enum first, Enum last) {
  return first <= value && value <= last;
}

bool is_place(std::uint16_t shard, std::uint16_t shards) { return shard < shards; }

bool is_run(std::uint64_t sequence, std::uint32_t message_count) {
  return message_count != 0 && sequence < kProducerSequenceEnd &&
         message_count <= kProducerSequenceEnd - sequence;
}

std::optional<FrameFault> check(const Frame& /*frame*/, const CookieBody& cookie) {
  return bad_field_unless(is_place(cookie.shard, cookie.shards));
}

std::optional<FrameFault> check(const Frame& frame, const OpenBody& open) {
  const std::size_t names = std::size_t{open.key_bytes} + open.name_bytes;
  if (frame.body.size() != sizeof open + names) return FrameFault::kBadLength;
  return bad_field_unless(open.reserved == 0);
}

std::optional<FrameFault> check(const Frame& /*frame*/, const AcceptBody& accept) {
  return bad_field_unless(accept.reserved0 == 0 && accept.reserved1 == 0 && accept.session != 0 &&
                          is_place(accept.shard, accept.shards) &&
                          accept.frame_bytes_max >= kSmallFrameBytesMax &&
                          accept.frame_bytes_max <= kFrameBytesMax &&
                          accept.durable <= accept.next && accept.next <= accept.limit &&
                          accept.limit <= kProducerSequenceEnd && accept.lost <= accept.next);
}

std::optional<FrameFault> check(const Frame& /*frame*/, const RefuseBody& refuse) {
  return bad_field_unless(refuse.reserved == 0 &&
                          is_in(refuse.reason, RefuseReason::kFull, RefuseReason::kBadField));
}

std::optional<FrameFault> check(const Frame& /*frame*/, const DataBody& data) {
  return bad_field_unless(is_run(data.sequence, data.message_count));
}

std::optional<FrameFault> check(const Frame& frame, const AckBody& ack) {
  if (ack.range_count > kAckRangesMax) return FrameFault::kBadField;
  if (frame.body.size() != sizeof ack + ack.range_count * sizeof(AckRange)) {
    return FrameFault::kBadLength;
  }
  if (ack.reserved != 0 || ack.state > CreditState::kNoRoom || ack.durable > ack.written ||
      ack.written > ack.received || ack.received > ack.limit || ack.limit > kProducerSequenceEnd ||
      ack.lost > ack.received || ack.probe_bytes > kFrameBytesMax ||
      (ack.probe_bytes != 0 && ack.probe_bytes < kPingBytesMin)) {
    return FrameFault::kBadField;
  }
  // The first one may follow `received` at once: what waits for the log is not received yet.
  if (ack.range_count > 0 && AckRanges(frame)[0].first < ack.received) return FrameFault::kBadField;
  std::uint64_t end = 0;
  const AckRanges ranges(frame);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const AckRange range = ranges[i];
    if ((i > 0 && range.first <= end) || range.end <= range.first) return FrameFault::kBadField;
    end = range.end;
  }
  return bad_field_unless(end <= kProducerSequenceEnd);
}

std::optional<FrameFault> check(const Frame& /*frame*/, const RejectBody& reject) {
  return bad_field_unless(
      reject.reserved == 0 && is_run(reject.sequence, reject.message_count) &&
      is_in(reject.reason, RejectReason::kNoStream, RejectReason::kCapturesFull));
}

std::optional<FrameFault> check(const Frame& frame, const SubjectBody& subject) {
  if (frame.body.size() != sizeof subject + subject.subject_bytes) return FrameFault::kBadLength;
  return bad_field_unless(subject.reserved == 0 && subject.subject_bytes != 0 &&
                          subject.subject_bytes <= kSubjectBytesMax);
}

std::optional<FrameFault> check(const Frame& /*frame*/, const CaptureBody& capture) {
  return bad_field_unless(capture.reason <= RejectReason::kCapturesFull);
}

std::optional<FrameFault> check(const Frame& /*frame*/, const CloseBody& close) {
  return bad_field_unless(close.reserved == 0 && close.next <= kProducerSequenceEnd);
}

std::optional<FrameFault> check(const Frame& /*frame*/, const ClosedBody& closed) {
  return bad_field_unless(closed.durable <= closed.received && closed.lost <= closed.received &&
                          closed.received <= kProducerSequenceEnd);
}

std::optional<FrameFault> check(const Frame& frame, const GoAwayBody& go_away) {
  if (frame.body.size() != sizeof go_away + go_away.endpoint_bytes) return FrameFault::kBadLength;
  return bad_field_unless(go_away.endpoint_bytes <= kEndpointBytesMax &&
                          is_in(go_away.reason, GoAwayReason::kDrain, GoAwayReason::kRedirect));
}

std::optional<FrameFault> check(const Frame& /*frame*/, const ResetBody& reset) {
  return bad_field_unless(reset.reserved == 0);
}

template <class Body>
std::optional<FrameFault> check(const Frame& frame) {
  return check(frame, body_of<Body>(frame));
}

std::optional<FrameFault> check_body(const Frame& frame) {
  switch (frame.header.type) {
    case FrameType::kHello:
      return bad_field_unless(all_zero(frame.body.subspan(sizeof(HelloBody))));
    case FrameType::kCookie: return check<CookieBody>(frame);
    case FrameType::kOpen: return check<OpenBody>(frame);
    case FrameType::kAccept: return check<AcceptBody>(frame);
    case FrameType::kRefuse: return check<RefuseBody>(frame);
    case FrameType::kData:
    case FrameType::kSkip: return check<DataBody>(frame);
    case FrameType::kAck: return check<AckBody>(frame);
    case FrameType::kReject: return check<RejectBody>(frame);
    case FrameType::kSubject: return check<SubjectBody>(frame);
    case FrameType::kCapture: return check<CaptureBody>(frame);
    case FrameType::kPing:
      return bad_field_unless(all_zero(frame.body.subspan(sizeof(PingBody::sent_us))));
    case FrameType::kClose: return check<CloseBody>(frame);
    case FrameType::kClosed: return check<ClosedBody>(frame);
    case FrameType::kGoAway: return check<GoAwayBody>(frame);
    case FrameType::kReset: return check<ResetBody>(frame);
    case FrameType::kChallenge:
    case FrameType::kResponse: return kNoFault;
  }
  return FrameFault::kBadType;
}

}  // namespace

std::expected<Frame, FrameFault> decode_frame(std::span<const std::byte> datagram, Sender sender) {
  if (datagram.size() < kFrameBytesMin) return std::unexpected(FrameFault::kTruncated);
  Frame frame{.header = load<FrameHeader>(datagram)};
  const FrameHeader& header = frame.header;
  if (header.magic != kMagic || header.version != kVersion) {
    return std::unexpected(FrameFault::kBadMagic);
  }
  if (datagram.size() != header.length || datagram.size() > kFrameBytesMax) {
    return std::unexpected(FrameFault::kBadLength);
  }
  const auto type = static_cast<std::size_t>(header.type);
  if (type == 0 || type >= kFrameTypes || kRules[type].sender != sender) {
    return std::unexpected(FrameFault::kBadType);
  }
  const TypeRule& rule = kRules[type];
  frame.sealed = header.flags == kSealed;
  if (header.flags > kSealed || (frame.sealed && !rule.sealable) ||
      (header.connection != 0) != rule.connected) {
    return std::unexpected(FrameFault::kBadField);
  }
  const std::size_t trailer = frame.sealed ? sizeof(Trailer) : 0;
  if (datagram.size() < rule.bytes_min + trailer) return std::unexpected(FrameFault::kTruncated);
  const std::size_t bytes = datagram.size() - trailer;
  if (rule.exact && bytes != rule.bytes_min) return std::unexpected(FrameFault::kBadLength);
  frame.body = datagram.first(bytes).subspan(sizeof header);
  if (frame.sealed) {
    frame.packet = load<std::uint64_t>(datagram, bytes);
    if ((frame.packet == 0) != (header.type == FrameType::kOpen)) {
      return std::unexpected(FrameFault::kBadField);
    }
  }
  if (const auto fault = check_body(frame)) return std::unexpected(*fault);
  return frame;
}

OpenNames names_of(const Frame& open) {
  const auto body = body_of<OpenBody>(open);
  const auto names = open.body.subspan(sizeof body);
  return {.key = text(names.first(body.key_bytes)),
          .session = names.subspan(body.key_bytes, body.name_bytes)};
}

std::string_view subject_of(const Frame& subject) {
  return text(subject.body.subspan(sizeof(SubjectBody)));
}

std::string_view endpoint_of(const Frame& go_away) {
  return text(go_away.body.subspan(sizeof(GoAwayBody)));
}

std::span<const std::byte> messages_of(const Frame& data) {
  return data.body.subspan(sizeof(DataBody));
}

bool is_acceptable(const OpenBody& open) {
  return open.level <= Level::kDurable && open.key_bytes <= kNameBytesMax && open.name_bytes != 0 &&
         open.name_bytes <= kNameBytesMax && open.frame_bytes_max >= kSmallFrameBytesMax &&
         open.frame_bytes_max <= kFrameBytesMax && open.oldest <= open.next &&
         open.next <= kProducerSequenceEnd;
}

std::uint64_t session_number(std::string_view key_name, std::span<const std::byte> session_name) {
  constexpr std::string_view kWhat = "penstock session";
  const auto key_bytes = static_cast<std::byte>(key_name.size());
  const Digest digest = sha256({
      std::as_bytes(std::span(kWhat)),
      {&key_bytes, 1},
      std::as_bytes(std::span(key_name)),
      session_name
  });
  const auto number = load<std::uint64_t>(digest);
  return number == 0 ? 1 : number;
}

std::string_view name_of(FrameType type) {
  const auto index = static_cast<std::size_t>(type);
  return index < kFrameTypes ? kRules[index].name : std::string_view{};
}

std::string_view name_of(FrameFault fault) {
  switch (fault) {
    case FrameFault::kTruncated: return "truncated";
    case FrameFault::kBadMagic: return "bad_magic";
    case FrameFault::kBadLength: return "bad_length";
    case FrameFault::kBadType: return "bad_type";
    case FrameFault::kBadField: return "bad_field";
  }
  return {};
}

}  // namespace penstock::pdp
