#include "dataplane/door/pdp/wire.h"

#include <gmock/gmock.h>

#include "dataplane/door/pdp/seal.h"
#include "storage/format/run.h"
#include "tests/unit/dataplane/door/pdp/vectors.h"

namespace penstock::pdp {
namespace {

using vectors::Buffer;
using vectors::bytes_of;
using vectors::Json;

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Messages as they would be read from a drive: behind a run's head.
Json messages_read(std::span<const std::byte> messages, std::uint32_t message_count) {
  Buffer run(run_head_bytes(1));
  run.insert(run.end(), messages.begin(), messages.end());
  store(run, 0,
        RunHeader{.length = static_cast<std::uint32_t>(run.size()),
                  .message_count = message_count,
                  .base_time_ns = 0,
                  .capture_count = 1,
                  .flags = 0,
                  .reserved = 0});
  RunReader reader(run);
  Json read = Json::array();
  while (const auto message = reader.next()) {
    Json headers = Json::array();
    for (auto rest = message->headers; !rest.empty();) {
      const auto name = rest.subspan(2, load<std::uint16_t>(rest));
      rest = rest.subspan(2 + name.size());
      const auto value = rest.subspan(4, load<std::uint32_t>(rest));
      rest = rest.subspan(4 + value.size());
      headers.push_back({text(name), text(value)});
    }
    read.push_back({
        {"subject", read.empty() ? message->subject : ""},
        {"key",     text(message->key)                  },
        {"headers", headers                             },
        {"payload", text(message->payload)              }
    });
  }
  EXPECT_TRUE(reader.ok());
  return read;
}

// What stands behind the fixed part, by the names of the vectors.
void add_tail(const Frame& frame, Json& fields) {
  switch (frame.header.type) {
    case FrameType::kOpen:
      fields["key_name"] = names_of(frame).key;
      fields["session_name"] = vectors::to_hex(names_of(frame).session);
      break;
    case FrameType::kData:
      fields["messages"] =
          messages_read(messages_of(frame), body_of<DataBody>(frame).message_count);
      break;
    case FrameType::kAck: {
      fields["ranges"] = Json::array();
      const AckRanges ranges(frame);
      for (std::size_t i = 0; i < ranges.size(); ++i) {
        fields["ranges"].push_back({ranges[i].first, ranges[i].end});
      }
      break;
    }
    case FrameType::kSubject: fields["subject"] = subject_of(frame); break;
    case FrameType::kGoAway: fields["endpoint"] = endpoint_of(frame); break;
    default: break;
  }
}

void append(Buffer& buffer, const Buffer& more) {
  buffer.insert(buffer.end(), more.begin(), more.end());
}
template <class T>
void append_value(Buffer& buffer, const T& value) {
  buffer.resize(buffer.size() + sizeof value);
  store(buffer, buffer.size() - sizeof value, value);
}

Buffer messages_made(const Json& messages) {
  Buffer made;
  for (const Json& message : messages) {
    Buffer headers;
    for (const Json& pair : message.at("headers")) {
      const auto name = pair[0].get<std::string>();
      const auto value = pair[1].get<std::string>();
      append_value(headers, static_cast<std::uint16_t>(name.size()));
      append(headers, bytes_of(name));
      append_value(headers, static_cast<std::uint32_t>(value.size()));
      append(headers, bytes_of(value));
    }
    const Buffer subject = bytes_of(message.at("subject").get<std::string>());
    const Buffer key = bytes_of(message.at("key").get<std::string>());
    const Buffer payload = bytes_of(message.at("payload").get<std::string>());
    append_value(made, MessageHeader{.payload_length = static_cast<std::uint32_t>(payload.size()),
                                     .time_delta_ns = 0,
                                     .subject_length = static_cast<std::uint16_t>(subject.size()),
                                     .key_length = static_cast<std::uint16_t>(key.size()),
                                     .headers_length = static_cast<std::uint16_t>(headers.size()),
                                     .flags = MessageFlag::kNone});
    for (const Buffer& part : {subject, key, headers, payload}) append(made, part);
    made.resize(align_up<std::size_t>(made.size(), kMessageAlign));
  }
  return made;
}

Buffer tail_made(const Json& fields) {
  Buffer tail;
  if (fields.contains("session_name")) {
    tail = bytes_of(fields.at("key_name").get<std::string>());
    append(tail, vectors::from_hex(fields.at("session_name").get<std::string>()));
  }
  if (fields.contains("messages")) tail = messages_made(fields.at("messages"));
  if (fields.contains("ranges")) {
    for (const Json& range : fields.at("ranges")) {
      append_value(tail, AckRange{.first = range[0], .end = range[1]});
    }
  }
  for (const char* name : {"subject", "endpoint"}) {
    if (fields.contains(name)) tail = bytes_of(fields.at(name).get<std::string>());
  }
  return tail;
}

template <class Body>
void check_decoding(const Json& vector, const Frame& frame) {
  EXPECT_EQ(frame.header.length, vector.at("length"));
  EXPECT_EQ(frame.header.connection, vector.at("connection"));
  EXPECT_EQ(frame.sealed, vector.contains("seal"));
  EXPECT_EQ(frame.packet, frame.sealed ? vector.at("seal").at("packet").get<std::uint64_t>() : 0);
  Json fields = vectors::fields_of(body_of<Body>(frame));
  add_tail(frame, fields);
  EXPECT_EQ(fields, vector.at("fields"));
}

template <class Body>
void check_encoding(const Json& vector, FrameType type, const Buffer& expected) {
  const Json& fields = vector.at("fields");
  Buffer frame(vector.at("length").get<std::size_t>());
  const Buffer tail = tail_made(fields);
  ASSERT_LE(sizeof(FrameHeader) + sizeof(Body) + tail.size(), frame.size());
  std::ranges::copy(tail, frame.begin() + sizeof(FrameHeader) + sizeof(Body));
  const bool sealed = vector.contains("seal");
  encode_frame(frame, type, vector.at("connection").get<std::uint64_t>(),
               vectors::body_from<Body>(fields), sealed);
  if (sealed) {
    const Json& seal = vector.at("seal");
    Sealer sealer;
    sealer.seal(frame, vectors::array_of<16>(seal.at("key")), seal.at("packet"));
    EXPECT_EQ(vectors::to_hex(std::span(frame).last(16)), seal.at("tag").get<std::string>());
  }
  EXPECT_EQ(vectors::to_hex(frame), vectors::to_hex(expected));
}

// Counted over all types.
int vectors_seen = 0;

template <class Body>
void check_vectors(FrameType type) {
  for (const Json& vector : vectors::load_vectors(name_of(type))) {
    SCOPED_TRACE(testing::Message() << name_of(type) << " " << vector.at("name"));
    const Buffer bytes = vectors::frame_of(vector);
    const auto frame = decode_frame(bytes, vectors::sender_of(vector));
    ASSERT_TRUE(frame.has_value()) << name_of(frame.error());
    EXPECT_EQ(frame->header.type, type);
    check_decoding<Body>(vector, *frame);
    check_encoding<Body>(vector, type, bytes);
    ++vectors_seen;
  }
}

TEST(PdpFrame, IsDecodedAndEncodedAsTheVectorsOfItsTypeSay) {
  check_vectors<HelloBody>(FrameType::kHello);
  check_vectors<CookieBody>(FrameType::kCookie);
  check_vectors<OpenBody>(FrameType::kOpen);
  check_vectors<AcceptBody>(FrameType::kAccept);
  check_vectors<RefuseBody>(FrameType::kRefuse);
  check_vectors<DataBody>(FrameType::kData);
  check_vectors<DataBody>(FrameType::kSkip);
  check_vectors<AckBody>(FrameType::kAck);
  check_vectors<RejectBody>(FrameType::kReject);
  check_vectors<SubjectBody>(FrameType::kSubject);
  check_vectors<CaptureBody>(FrameType::kCapture);
  check_vectors<PingBody>(FrameType::kPing);
  check_vectors<CloseBody>(FrameType::kClose);
  check_vectors<ClosedBody>(FrameType::kClosed);
  check_vectors<GoAwayBody>(FrameType::kGoAway);
  check_vectors<ChallengeBody>(FrameType::kChallenge);
  check_vectors<ChallengeBody>(FrameType::kResponse);
  check_vectors<ResetBody>(FrameType::kReset);
  fmt::print("FIGURE name=pdp_frame_vectors cases={} failed={}\n", vectors_seen,
             HasFailure() ? 1 : 0);
}

TEST(PdpFrame, ThatIsWrongInOneThingIsRefusedByTheNameOfThat) {
  std::vector<std::string> seen;
  for (const Json& vector : vectors::load_vectors("frame_faults")) {
    SCOPED_TRACE(vector.at("name"));
    const Buffer bytes = vectors::frame_of(vector);
    const auto frame = decode_frame(bytes, vectors::sender_of(vector));
    ASSERT_FALSE(frame.has_value());
    EXPECT_EQ(name_of(frame.error()), vector.at("fault").get<std::string>());
    seen.emplace_back(name_of(frame.error()));
  }
  for (std::size_t i = 0; i < kFrameFaults; ++i) {
    EXPECT_THAT(seen, testing::Contains(name_of(static_cast<FrameFault>(i))));
  }
  fmt::print("FIGURE name=pdp_frame_faults cases={} failed={}\n", seen.size(),
             HasFailure() ? 1 : 0);
}

// Whatever is cut off a frame, or whatever length its header claims.
TEST(PdpFrame, OfAnotherLengthThanItsHeaderSaysIsNone) {
  for (std::size_t type = 1; type < kFrameTypes; ++type) {
    const Json vector = vectors::load_vectors(name_of(static_cast<FrameType>(type)))[0];
    Buffer frame = vectors::frame_of(vector);
    for (std::size_t length = 0; length < frame.size(); ++length) {
      EXPECT_FALSE(decode_frame(std::span(frame).first(length), vectors::sender_of(vector)));
    }
    frame.emplace_back();
    EXPECT_EQ(decode_frame(frame, vectors::sender_of(vector)).error(), FrameFault::kBadLength);
  }
}

TEST(PdpOpen, IsAcceptableWhenAllItsNumbersExist) {
  for (const Json& vector : vectors::load_vectors("open")) {
    const auto open = vectors::body_from<OpenBody>(vector.at("fields"));
    EXPECT_EQ(is_acceptable(open), vector.at("acceptable").get<bool>()) << vector.at("name");
  }
}

TEST(PdpSession, HasTheNumberThatKeyAndNameGiveIt) {
  for (const Json& vector : vectors::load_vectors("keys", "sessions")) {
    const Buffer name = vectors::from_hex(vector.at("session_name").get<std::string>());
    EXPECT_EQ(session_number(vector.at("key_name").get<std::string>(), name),
              vector.at("session").get<std::uint64_t>());
  }
}

TEST(PdpNames, AreThereForEveryTypeAndFaultAndForNothingElse) {
  for (std::size_t type = 1; type < kFrameTypes; ++type) {
    EXPECT_FALSE(name_of(static_cast<FrameType>(type)).empty());
  }
  EXPECT_EQ(name_of(FrameType{0}), "");
  EXPECT_EQ(name_of(FrameType{kFrameTypes}), "");
  EXPECT_EQ(name_of(static_cast<FrameFault>(kFrameFaults)), "");
}

}  // namespace
}  // namespace penstock::pdp
