// The test vectors of tests/vectors/pdp, and the fields of frames by the names that they have
// there.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "dataplane/door/pdp/wire.h"

namespace penstock::pdp::vectors {

using Json = nlohmann::json;
using Buffer = std::vector<std::byte>;

inline Buffer bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline unsigned digit(char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); }

inline Buffer from_hex(std::string_view hex) {
  Buffer bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(digit(hex[i]) << 4U | digit(hex[i + 1])));
  }
  return bytes;
}

inline std::string to_hex(std::span<const std::byte> bytes) {
  std::string hex;
  for (const std::byte byte : bytes) hex += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return hex;
}

template <std::size_t N>
std::array<std::byte, N> array_of(const Json& hex) {
  const Buffer bytes = from_hex(hex.get<std::string>());
  EXPECT_EQ(bytes.size(), N);
  std::array<std::byte, N> array{};
  std::copy_n(bytes.begin(), std::min(N, bytes.size()), array.begin());
  return array;
}

// The vectors of a file; by value, so that a loop over them keeps them.
inline Json load_vectors(std::string_view name, const char* list = "vectors") {
  std::ifstream file(fmt::format("tests/vectors/pdp/{}.json", name));
  EXPECT_TRUE(file.is_open()) << name;
  Json vectors = Json::parse(file).at(list);
  EXPECT_FALSE(vectors.empty()) << name;
  return vectors;
}

inline Buffer frame_of(const Json& vector) {
  std::string hex;
  for (const Json& row : vector.at("hex")) hex += row.get<std::string>();
  Buffer frame = from_hex(hex);
  if (vector.contains("zeros_up_to")) frame.resize(vector.at("zeros_up_to").get<std::size_t>());
  return frame;
}

inline Sender sender_of(const Json& vector) {
  return vector.at("from") == "producer" ? Sender::kProducer : Sender::kNode;
}

// each(name, field) for all that are not reserved.
template <class Each>
void each_field(HelloBody& body, Each each) {
  each("nonce", body.nonce);
  each("sent_us", body.sent_us);
}
template <class Each>
void each_field(CookieBody& body, Each each) {
  each("nonce", body.nonce);
  each("issued_ns", body.issued_ns);
  each("cookie", body.cookie);
  each("echoed_us", body.echoed_us);
  each("shard", body.shard);
  each("shards", body.shards);
  each("boot", body.boot);
}
template <class Each>
void each_field(OpenBody& body, Each each) {
  each("nonce", body.nonce);
  each("issued_ns", body.issued_ns);
  each("cookie", body.cookie);
  each("oldest", body.oldest);
  each("next", body.next);
  each("level", body.level);
  each("frame_bytes_max", body.frame_bytes_max);
  each("key_bytes", body.key_bytes);
  each("name_bytes", body.name_bytes);
}
template <class Each>
void each_field(AcceptBody& body, Each each) {
  each("nonce", body.nonce);
  each("node_nonce", body.node_nonce);
  each("session", body.session);
  each("boot", body.boot);
  each("next", body.next);
  each("durable", body.durable);
  each("limit", body.limit);
  each("credit_bytes", body.credit_bytes);
  each("idle_ms", body.idle_ms);
  each("frame_bytes_max", body.frame_bytes_max);
  each("shard", body.shard);
  each("shards", body.shards);
  each("lost", body.lost);
}
template <class Each>
void each_field(RefuseBody& body, Each each) {
  each("nonce", body.nonce);
  each("reason", body.reason);
  each("retry_ms", body.retry_ms);
}
template <class Each>
void each_field(DataBody& body, Each each) {
  each("sequence", body.sequence);
  each("message_count", body.message_count);
  each("sent_us", body.sent_us);
}
template <class Each>
void each_field(AckBody& body, Each each) {
  each("received", body.received);
  each("written", body.written);
  each("durable", body.durable);
  each("limit", body.limit);
  each("lost", body.lost);
  each("credit_bytes", body.credit_bytes);
  each("echoed_us", body.echoed_us);
  each("delay_us", body.delay_us);
  each("probe_bytes", body.probe_bytes);
  each("state", body.state);
  each("range_count", body.range_count);
}
template <class Each>
void each_field(RejectBody& body, Each each) {
  each("sequence", body.sequence);
  each("message_count", body.message_count);
  each("reason", body.reason);
}
template <class Each>
void each_field(SubjectBody& body, Each each) {
  each("request", body.request);
  each("subject_bytes", body.subject_bytes);
}
template <class Each>
void each_field(CaptureBody& body, Each each) {
  each("request", body.request);
  each("reason", body.reason);
  each("streams", body.streams);
}
template <class Each>
void each_field(PingBody& body, Each each) {
  each("sent_us", body.sent_us);
}
template <class Each>
void each_field(CloseBody& body, Each each) {
  each("next", body.next);
}
template <class Each>
void each_field(ClosedBody& body, Each each) {
  each("received", body.received);
  each("durable", body.durable);
  each("lost", body.lost);
}
template <class Each>
void each_field(GoAwayBody& body, Each each) {
  each("reason", body.reason);
  each("endpoint_bytes", body.endpoint_bytes);
  each("deadline_ms", body.deadline_ms);
}
template <class Each>
void each_field(ChallengeBody& body, Each each) {
  each("token", body.token);
}
template <class Each>
void each_field(ResetBody& body, Each each) {
  each("boot", body.boot);
}

inline Json to_json(const std::array<std::byte, 16>& bytes) { return to_hex(bytes); }
template <class Number>
Json to_json(const Number& number) {
  return static_cast<std::uint64_t>(number);
}
inline void from_json(const Json& json, std::array<std::byte, 16>& bytes) {
  bytes = array_of<16>(json);
}
template <class Number>
void from_json(const Json& json, Number& number) {
  number = static_cast<Number>(json.get<std::uint64_t>());
}

template <class Body>
Json fields_of(Body body) {
  Json fields = Json::object();
  each_field(body, [&](const char* name, const auto& value) { fields[name] = to_json(value); });
  return fields;
}

template <class Body>
Body body_from(const Json& fields) {
  Body body{};
  each_field(body, [&](const char* name, auto& value) { from_json(fields.at(name), value); });
  return body;
}

}  // namespace penstock::pdp::vectors
