// A PDP node under test, and a producer's frames made by hand.
#pragma once

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/lib/pdp_node.h"

namespace penstock::pdp {

class PdpNodeTest : public testing::Test, protected KeptFrames, protected NodeOnNoDrive {
 protected:
  PdpNodeTest() : NodeOnNoDrive(outbox_) {}
  ~PdpNodeTest() override {
    EXPECT_EQ(frames_.received, frames_accounted());
    const Tally messages = messages_accounted();  // brings them up to date
    EXPECT_EQ(shard_.offered, messages);
  }

  // ---- What a producer sends
  // ------------------------------------------------------------------------

  using NodeOnNoDrive::deliver;
  template <class Body>
  std::vector<std::byte> frame_of(FrameType type, const Body& body,
                                  std::span<const std::byte> behind = {}) {
    std::vector<std::byte> frame(sizeof(FrameHeader) + sizeof body + behind.size() +
                                 (sealed_ ? sizeof(Trailer) : 0));
    std::ranges::copy(behind, frame.begin() + sizeof(FrameHeader) + sizeof body);
    encode_frame(frame, type, connection_, body, sealed_);
    if (sealed_) sealer_.seal(frame, producer_key_, ++packet_);
    return frame;
  }
  template <class Body>
  void deliver(FrameType type, const Body& body, std::span<const std::byte> behind = {},
               Address from = {}) {
    deliver(frame_of(type, body, behind), from);
  }

  CookieBody hello(Nonce nonce, Address from = {});
  // Opens the session "one"; what answers it stands in outbox_.
  void open(OpenBody body, Address from = {}, std::string_view name = "one",
            std::string_view key = {});
  AcceptBody open_at(Level level, std::uint64_t oldest = 0, Address from = {});

  static std::vector<std::byte> messages(std::uint64_t first, std::uint32_t count,
                                         std::string_view subject = "app.log",
                                         std::size_t payload_bytes = 32) {
    return lay_out_messages(first, count, subject, payload_bytes);
  }
  void data(std::uint64_t sequence, std::uint32_t count, std::string_view subject = "app.log",
            Address from = {}) {
    deliver(FrameType::kData, DataBody{sequence, count, 5}, messages(sequence, count, subject),
            from);
  }

  // ---- What the node does
  // ---------------------------------------------------------------------------

  // The last frame of this type that was sent; all are forgotten. Fails when there is none.
  template <class Body>
  Body last(FrameType type) {
    Body found{};
    bool any = false;
    for (const auto& sent : outbox_.sent) {
      const auto frame = decode_frame(sent.bytes, Sender::kNode);
      EXPECT_TRUE(frame.has_value()) << name_of(frame.error());
      if (!frame || frame->header.type != type) continue;
      found = body_of<Body>(*frame);
      ranges_.clear();
      if (type == FrameType::kAck) {
        const AckRanges ranges(*frame);
        for (std::size_t i = 0; i < ranges.size(); ++i) ranges_.push_back(ranges[i]);
      }
      last_to_ = sent.to;
      any = true;
    }
    outbox_.sent.clear();
    EXPECT_TRUE(any) << "no " << name_of(type);
    return found;
  }
  AckBody ack() {
    turn();
    return last<AckBody>(FrameType::kAck);
  }
  [[nodiscard]] std::uint64_t count(FrameFate fate) { return frames_[fate].count; }

  std::uint64_t connection_ = 0;
  std::vector<AckRange> ranges_;  // of the last ACK
  Peer last_to_;
  bool sealed_ = false;
  SealKey producer_key_{};
  SealKey node_key_{};
  std::uint64_t packet_ = 0;
  Sealer sealer_;
};

inline CookieBody PdpNodeTest::hello(Nonce nonce, Address from) {
  std::vector<std::byte> frame(kHelloBytesMin);
  encode_frame(frame, FrameType::kHello, 0, HelloBody{.nonce = nonce, .sent_us = 3});
  deliver(frame, from);
  return last<CookieBody>(FrameType::kCookie);
}

inline void PdpNodeTest::open(OpenBody body, Address from, std::string_view name,
                              std::string_view key) {
  body.key_bytes = static_cast<std::uint8_t>(key.size());
  body.name_bytes = static_cast<std::uint8_t>(name.size());
  const std::string names = std::string(key) + std::string(name);
  connection_ = 0;
  deliver(FrameType::kOpen, body, std::as_bytes(std::span(names)), from);
}

inline AcceptBody PdpNodeTest::open_at(Level level, std::uint64_t oldest, Address from) {
  static std::uint8_t opened = 0;
  const Nonce nonce{std::byte{++opened}, std::byte{1}};
  const CookieBody cookie = hello(nonce, from);
  clock_.advance(1'000);
  open({.nonce = nonce,
        .issued_ns = cookie.issued_ns,
        .cookie = cookie.cookie,
        .oldest = oldest,
        .next = oldest,
        .level = level,
        .frame_bytes_max = 1400},
       from);
  EXPECT_FALSE(outbox_.sent.empty());
  if (outbox_.sent.empty()) return {};
  connection_ = load<FrameHeader>(outbox_.sent.back().bytes).connection;
  return last<AcceptBody>(FrameType::kAccept);
}

}  // namespace penstock::pdp
