// A PDP node on a log without a drive, and a producer's frames made by hand.
#pragma once

#include <deque>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/door/pdp/node/node.h"
#include "storage/format/page.h"
#include "storage/ring/io_ring_linux.h"
#include "tests/lib/ring_in_front.h"

namespace penstock::pdp {

// Keeps every frame that the node sends.
class KeepingOutbox final : public Outbox {
 public:
  struct Sent {
    Peer to;
    std::vector<std::byte> bytes;
  };
  std::span<std::byte> begin(const Peer& to, std::size_t bytes) override {
    if (full) return {};
    begun_ = {to, std::vector<std::byte>(bytes)};
    return begun_.bytes;
  }
  void send() override { sent.push_back(std::move(begun_)); }

  std::deque<Sent> sent;
  bool full = false;

 private:
  Sent begun_;
};

// A drive that takes writes when the test says so.
class HeldRing final : public RingInFront {
 public:
  HeldRing() : RingInFront(make_io_ring_null()) {}
  bool queue_flush(std::uint64_t token, IoFile file) override {
    return !hold_flushes && RingInFront::queue_flush(token, file);
  }
  std::size_t reap(std::span<IoCompletion> completions) override {
    return hold ? 0 : RingInFront::reap(completions);
  }

  bool hold = false;
  bool hold_flushes = false;
};

struct Address {
  std::uint8_t host = 9;
  std::uint16_t port = 40'000;
};

class PdpNodeTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kBlockBytes = 16 * 1024;
  static constexpr std::size_t kBlocks = 4;
  static constexpr std::uint64_t kBoot = 77;

  PdpNodeTest() { restart(); }
  ~PdpNodeTest() override {
    intake_->settle();
    Tally sum = frames_.held;
    for (const Tally& fate : frames_.fates) sum += fate;
    EXPECT_EQ(frames_.received, sum);
    sum = shard_.in_flight;
    for (const Tally& fate : shard_.fates) sum += fate;
    EXPECT_EQ(shard_.offered, sum);
  }

  static NodeOptions default_options() {
    NodeOptions options{.boot = kBoot, .sessions = 8};
    options.ports.push_back({.ethernet = {std::byte{2}}, .mtu = 1500});
    return options;
  }

  // As if the node was started anew: with what the log knew, if it goes on.
  void restart(NodeOptions options = default_options(), const LogStart& start = {}) {
    node_.reset();
    router_.reset();
    log_.reset();
    intake_ = std::make_unique<Intake>(shard_, std::vector<MessageAccount*>{&door_});
    for (std::uint32_t slot = 0; slot < 8; ++slot) {
      static_cast<void>(channel_.ready.push({.slot = SlotIndex(slot), .file = {}, .oldest = {}}));
    }
    log_ = std::make_unique<LogWriter>(LogOptions{.volume = {},
                                                  .log = LogNumber(0),
                                                  .segment_bytes = 1 * kMiB,
                                                  .block_bytes = kBlockBytes,
                                                  .durability = durability_,
                                                  .producers = 16},
                                       start, pool_, ring_, channel_, clock_, rng_, *intake_);
    intake_->set_log(*log_);
    router_ = std::make_unique<StreamRouter>(
        std::vector<Stream>{
            {.name = "app", .filters = {SubjectFilter::parse("app.>").value()}}
    },
        [this](std::span<const std::size_t>) {
          auto set = log_->add_capture_set(std::array{stream_id("app")});
          if (set) intake_->add_set(*set, std::array{&stream_});
          return set;
        });
    node_ = std::make_unique<PdpNode>(std::move(options), Secrets::Seed{}, *intake_, *router_,
                                      *log_, outbox_, frames_);
    intake_->set_observer(*node_);
  }

  // ---- What a producer sends
  // ------------------------------------------------------------------------

  void deliver(std::span<const std::byte> frame, Address from = {}) {
    Datagram datagram{.payload = frame,
                      .source = address(from.host),
                      .destination = address(1),
                      .source_port = from.port,
                      .destination_port = kDefaultPort,
                      .received = clock_.unix_now()};
    const std::array<std::byte, kEthernetBytes> link{};
    static_cast<void>(node_->take(datagram, link, 0, clock_.monotonic_now()));
  }
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
  static IpAddress address(std::uint8_t host) {
    return IpAddress::v4(__builtin_bswap32(0x0A00'0000U | host));
  }

  CookieBody hello(Nonce nonce, Address from = {});
  // Opens the session "one"; what answers it stands in outbox_.
  void open(OpenBody body, Address from = {}, std::string_view name = "one",
            std::string_view key = {});
  AcceptBody open_at(Level level, std::uint64_t oldest = 0, Address from = {});

  static std::vector<std::byte> messages(std::uint64_t first, std::uint32_t count,
                                         std::string_view subject = "app.log",
                                         std::size_t payload_bytes = 32);
  void data(std::uint64_t sequence, std::uint32_t count, std::string_view subject = "app.log",
            Address from = {}) {
    deliver(FrameType::kData, DataBody{sequence, count, 5}, messages(sequence, count, subject),
            from);
  }

  // ---- What the node does
  // ---------------------------------------------------------------------------

  void turn() {
    node_->turn(clock_.monotonic_now());
    log_->poll(clock_.monotonic_now());
    node_->turn(clock_.monotonic_now());
    clock_.advance(100'000);
  }
  // Until all that was taken is durable.
  void settle() {
    log_->seal();
    for (int i = 0; i < 20; ++i) turn();
  }
  // Until each session was looked at.
  void sweep() {
    for (int i = 0; i < 20; ++i) {
      clock_.advance(1'000'000);
      turn();
    }
  }
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

  SimClock clock_;
  Rng rng_{1};
  PageBuffer memory_ = allocate_pages(kBlocks * kBlockBytes);
  BlockPool pool_{
      {memory_.get(), kBlocks* kBlockBytes},
      kBlockBytes
  };
  HeldRing ring_;
  SegmentChannel channel_;
  MessageAccount shard_;
  MessageAccount door_;
  MessageAccount stream_;
  FrameAccount frames_;
  KeepingOutbox outbox_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<LogWriter> log_;
  std::unique_ptr<StreamRouter> router_;
  std::unique_ptr<PdpNode> node_;

  Durability durability_ = Durability::kFlush;  // from the next restart on
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

inline std::vector<std::byte> PdpNodeTest::messages(std::uint64_t first, std::uint32_t count,
                                                    std::string_view subject,
                                                    std::size_t payload_bytes) {
  std::vector<std::byte> area;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t subject_bytes = i == 0 ? subject.size() : 0;
    std::string payload = fmt::format("message {}", first + i);
    payload.resize(payload_bytes, '.');
    const std::size_t at = area.size();
    area.resize(at + message_bytes(subject_bytes, 0, 0, payload.size()));
    store(std::span(area), at,
          MessageHeader{.payload_length = static_cast<std::uint32_t>(payload.size()),
                        .subject_length = static_cast<std::uint16_t>(subject_bytes)});
    std::memcpy(area.data() + at + sizeof(MessageHeader), subject.data(), subject_bytes);
    std::memcpy(area.data() + at + sizeof(MessageHeader) + subject_bytes, payload.data(),
                payload.size());
  }
  return area;
}

}  // namespace penstock::pdp
