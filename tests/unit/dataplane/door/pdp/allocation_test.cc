// What a shard calls in its loop takes no memory. Counted by jemalloc, which also sees what OpenSSL
// takes; where a sanitizer's malloc stands in its place, only that all of it runs.
#include <gtest/gtest.h>

#include "dataplane/door/pdp/cookie.h"
#include "dataplane/door/pdp/key_ring.h"
#include "dataplane/door/pdp/run_check.h"
#include "tests/lib/pdp_node.h"
#include "tests/lib/sanitized.h"
#include "tests/unit/dataplane/door/pdp/vectors.h"

extern "C" int mallctl(const char* name, void* old_value, std::size_t* old_bytes, void* new_value,
                       std::size_t new_bytes) __attribute__((weak));

namespace penstock::pdp {
namespace {

std::uint64_t malloc_bytes() {
  std::uint64_t bytes = 0;
  std::size_t size = sizeof bytes;
  if (mallctl != nullptr) mallctl("thread.allocated", &bytes, &size, nullptr, 0);
  return bytes;
}

TEST(PdpAllocations, AreCounted) {
  const std::uint64_t before = malloc_bytes();
  const Sealer sealer;
  EXPECT_TRUE(mallctl == nullptr || malloc_bytes() > before);
}

TEST(PdpAllocations, AreMadeByConstructorsOnly) {
  constexpr int kRounds = 1000;
  const auto data = vectors::load_vectors("data").at(3);
  const auto frame = vectors::frame_of(data);
  const auto keys = KeyRing::parse("a " + std::string(64, '7'), "keys");
  Sealer sealer;
  CookieJar jar(CookieSecret{});
  std::vector<std::byte> sealed(2000);
  const Nonce nonce{};

  const std::uint64_t before = malloc_bytes();
  int failed = 0;
  for (int i = 0; i < kRounds; ++i) {
    const auto packet = static_cast<std::uint64_t>(i);
    const ProducerKey& key = *keys->find("a");
    const Tag cookie = jar.make({.issued_ns = packet});
    const SealKey keys_made[] = {open_key(key, nonce, cookie),
                                 producer_frames_key(key, nonce, cookie, nonce),
                                 node_frames_key(key, nonce, cookie, nonce)};
    const SealKey& seal_key = keys_made[i % 3];
    encode_frame(sealed, FrameType::kPing, session_number("a", nonce), PingBody{}, true);
    sealer.seal(sealed, seal_key, packet + 1);
    const auto decoded = decode_frame(frame, Sender::kProducer);
    const bool good =
        jar.check({.issued_ns = packet}, cookie, MonotonicNanos(i + 1)) == CookieFate::kRight &&
        sealer.verify(sealed, seal_key) && !sealer.verify(sealed, keys_made[(i + 1) % 3]) &&
        decode_frame(sealed, Sender::kProducer) && decoded &&
        check_run(messages_of(*decoded), body_of<DataBody>(*decoded).message_count) &&
        keys->find("b") == nullptr;
    if (!good) ++failed;
  }
  EXPECT_EQ(malloc_bytes(), before);
  EXPECT_EQ(failed, 0);
  fmt::print("FIGURE name=pdp_allocations cases={} failed={}\n", kRounds, HasFailure() ? 1 : 0);
}

// Has room for one frame: the last that was sent.
class LastFrame final : public Outbox {
 public:
  std::span<std::byte> begin(const Peer& /*to*/, std::size_t bytes) override {
    begun_ = bytes;
    return std::span(room_).first(bytes);
  }
  void send() override {
    bytes_ = begun_;
    ++sent;
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] Frame frame() const {
    return decode_frame(std::span(room_).first(bytes_), Sender::kNode).value();
  }

  std::uint64_t sent = 0;

 private:
  std::array<std::byte, kFrameBytesMax> room_{};
  std::size_t begun_ = 0;
  std::size_t bytes_ = 0;
};
class LastFrameKept {
 protected:
  LastFrame outbox_;
};

class PdpNodeAllocations : public testing::Test, protected LastFrameKept, protected NodeOnNoDrive {
 protected:
  PdpNodeAllocations() : NodeOnNoDrive(outbox_) {}

  void say(std::span<const std::byte> frame) {
    const std::uint64_t before = malloc_bytes();
    deliver(frame);
    bytes_ += malloc_bytes() - before;
  }
  void turn_counted() {
    const std::uint64_t before = malloc_bytes();
    turn();
    bytes_ += malloc_bytes() - before;
  }
  void open(Level level) {
    const Nonce nonce{std::byte{1}, static_cast<std::byte>(level)};
    std::vector<std::byte> frame(kHelloBytesMin);
    encode_frame(frame, FrameType::kHello, 0, HelloBody{.nonce = nonce, .sent_us = 3});
    deliver(frame);
    const auto cookie = body_of<CookieBody>(outbox_.frame());
    frame.assign(sizeof(FrameHeader) + sizeof(OpenBody) + 1, static_cast<std::byte>(level));
    encode_frame(frame, FrameType::kOpen, 0,
                 OpenBody{.nonce = nonce,
                          .issued_ns = cookie.issued_ns,
                          .cookie = cookie.cookie,
                          .level = level,
                          .frame_bytes_max = 1400,
                          .name_bytes = 1});
    deliver(frame);
    connection_ = outbox_.frame().header.connection;
  }
  [[nodiscard]] std::vector<std::byte> data(std::uint64_t sequence, std::uint32_t count) const {
    const auto messages = lay_out_messages(sequence, count, "app.log", 40);
    std::vector<std::byte> frame(kDataHeadBytes + messages.size());
    std::ranges::copy(messages, frame.begin() + kDataHeadBytes);
    encode_frame(frame, FrameType::kData, connection_, DataBody{sequence, count, 5});
    return frame;
  }

  std::uint64_t connection_ = 0;
  std::uint64_t bytes_ = 0;
};

// Eight frames of two messages a turn, of which some come in another order and some twice.
TEST_F(PdpNodeAllocations, AreMadeForASessionsFirstFramesOnly) {
  constexpr std::uint64_t kTurns = 500;
  constexpr std::array kOrder = {0, 1, 4, 2, 2, 3, 3, 7, 4, 7, 6, 5, 0};
  for (const Level level : {Level::kNone, Level::kReceived, Level::kDurable}) {
    open(level);
    deliver(data(0, 2));
    turn();
    bytes_ = 0;
    for (std::uint64_t i = 0; i < kTurns; ++i) {
      for (const int place : kOrder) say(data(2 + 16 * i + 2 * static_cast<unsigned>(place), 2));
      turn_counted();
    }
    EXPECT_EQ(bytes_, 0U) << static_cast<int>(level);
    settle();
    EXPECT_EQ(log_->producers()
                  .at(*log_->producers().find(
                      SessionNumber(session_number("", std::array{static_cast<std::byte>(level)}))))
                  .durable,
              2 + 16 * kTurns);
  }
  EXPECT_EQ(stream_[MessageFate::kStored].count, 3 * (2 + 16 * kTurns));
  EXPECT_EQ(frames_.lost, Tally{});
  EXPECT_EQ(frames_[FrameFate::kDuplicate].count, 3 * 5 * kTurns);
  fmt::print("FIGURE name=pdp_node_allocations cases={} failed={}\n", 3 * kTurns * kOrder.size(),
             HasFailure() ? 1 : 0);
}

// From addresses that nobody has: half of them ask for a cookie, half come with one of another
// address, of another time, or made up. A session that is open goes on beside them.
TEST_F(PdpNodeAllocations, AreNotMadeForSpoofedHandshakes) {
  constexpr std::uint64_t kHandshakes = ::penstock::test::kSanitized ? 50'000 : 1'000'000;
  constexpr std::uint64_t kFramesApart = 1'000;
  open(Level::kDurable);
  deliver(data(0, 2));
  turn();
  Rng rng(1);
  CookieBody stolen{};
  std::vector<std::byte> frame;
  for (std::uint64_t i = 0; i < kHandshakes; ++i) {
    const Address from{.host = static_cast<std::uint8_t>(20 + rng.below(200)),
                       .port = static_cast<std::uint16_t>(1 + rng.below(65'535))};
    const bool asks = i % 2 == 0;
    Nonce nonce;
    for (std::byte& byte : nonce) byte = static_cast<std::byte>(rng.next());
    if (asks) {
      frame.assign(kHelloBytesMin, std::byte{0});
      encode_frame(frame, FrameType::kHello, 0, HelloBody{.nonce = nonce, .sent_us = 3});
    } else {
      frame.assign(sizeof(FrameHeader) + sizeof(OpenBody) + 1, std::byte{1});
      OpenBody body{.nonce = stolen.nonce,
                    .issued_ns = stolen.issued_ns,
                    .cookie = stolen.cookie,
                    .level = Level::kNone,
                    .frame_bytes_max = 1400,
                    .name_bytes = 1};
      if (rng.below(3) == 0) body.issued_ns = rng.next();
      if (rng.below(3) == 0) body.cookie[rng.below(8)] ^= std::byte{1};
      encode_frame(frame, FrameType::kOpen, 0, body);
    }
    const std::uint64_t sent = outbox_.sent;
    const std::uint64_t before = malloc_bytes();
    deliver(frame, from);
    bytes_ += malloc_bytes() - before;
    ASSERT_LE(outbox_.sent - sent, asks ? 1U : 0U);
    if (outbox_.sent != sent) {
      ASSERT_LE(outbox_.bytes(), frame.size());
      stolen = body_of<CookieBody>(outbox_.frame());
    }
    if (i % kFramesApart > 0) continue;
    deliver(data(2 + 2 * i / kFramesApart, 2));
    turn();
  }
  EXPECT_EQ(bytes_, 0U);
  settle();
  EXPECT_EQ(frames_.sessions, 1U);
  const std::uint64_t answered = frames_[FrameFate::kHelloAnswered].count;
  EXPECT_GT(answered, kHandshakes / 100) << "and no more than the limit of answers";
  EXPECT_EQ(answered + frames_[FrameFate::kNoAnswer].count, 1 + kHandshakes / 2);
  EXPECT_EQ(frames_[FrameFate::kBadCookie].count, kHandshakes / 2);
  EXPECT_EQ(stream_[MessageFate::kStored].count, 2 + 2 * kHandshakes / kFramesApart);
  fmt::print("FIGURE name=pdp_spoofed_handshakes cases={} failed={}\n", kHandshakes,
             HasFailure() ? 1 : 0);
}

}  // namespace
}  // namespace penstock::pdp
