// A PDP node on a log without a drive, and an outbox that keeps what it is given.
#pragma once

#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "dataplane/door/pdp/node/node.h"
#include "storage/format/page.h"
#include "storage/ring/io_ring_linux.h"
#include "tests/lib/make_routing.h"
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

// An outbox that is there before the node that sends to it, when both are bases of one class.
class KeptFrames {
 protected:
  KeepingOutbox outbox_;
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

// Where a producer's frames come from.
struct Address {
  std::uint8_t host = 9;
  std::uint16_t port = 40'000;
};

// The node, and all that it stands on but its outbox: the ground of those who test it. One stream
// captures `app.>`.
class NodeOnNoDrive {
 protected:
  static constexpr std::uint32_t kBlockBytes = 16 * 1024;
  static constexpr std::size_t kBlocks = 4;
  static constexpr std::uint64_t kBoot = 77;

  static NodeOptions default_options() {
    NodeOptions options{.boot = kBoot, .sessions = 8};
    options.ports.push_back({.ethernet = {std::byte{2}}, .mtu = 1500});
    return options;
  }

  explicit NodeOnNoDrive(Outbox& outbox, NodeOptions options = default_options())
      : sends_to_(outbox) {
    restart(std::move(options));
  }

  // As if the node was started anew: with what the log knew, if it goes on.
  void restart(NodeOptions options = default_options(), const LogStart& start = {}) {
    node_.reset();
    router_.reset();
    log_.reset();
    intake_ = std::make_unique<Intake>(shard_, std::vector<MessageAccount*>{&door_}, streams_);
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
    router_ = std::make_unique<StreamRouter>(routing_, [this](auto) {
      const auto set = log_->captures().add_set(std::array{stream_id("app")});
      intake_->keep_books(log_->captures().partitions_of(set.value())[0], 0);
      return set;
    });
    node_ = std::make_unique<PdpNode>(std::move(options), Secrets::Seed{}, *intake_, *router_,
                                      *log_, sends_to_, frames_);
    intake_->set_observer(*node_);
  }

  void deliver(std::span<const std::byte> frame, Address from = {}) {
    const Datagram datagram{.payload = frame,
                            .source = address(from.host),
                            .destination = address(1),
                            .source_port = from.port,
                            .destination_port = kDefaultPort,
                            .received = clock_.unix_now()};
    const std::array<std::byte, kEthernetBytes> link{};
    static_cast<void>(node_->take(datagram, link, 0, clock_.monotonic_now()));
  }
  static IpAddress address(std::uint8_t host) {
    return IpAddress::v4(__builtin_bswap32(0x0A00'0000U | host));
  }

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

  // What the books' laws say that their totals are.
  [[nodiscard]] Tally frames_accounted() const {
    Tally sum = frames_.held;
    for (const Tally& fate : frames_.fates) sum += fate;
    return sum;
  }
  [[nodiscard]] Tally messages_accounted() {
    intake_->settle();
    Tally sum = shard_.in_flight;
    for (const Tally& fate : shard_.fates) sum += fate;
    return sum;
  }

  Outbox& sends_to_;
  Durability durability_ = Durability::kFlush;  // from the next restart on
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
  std::vector<StreamBook> stream_books_ = std::vector<StreamBook>(1);
  StreamBooks streams_{stream_books_};
  MessageAccount& stream_ = streams_.at(0);
  FrameAccount frames_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<LogWriter> log_;
  Routing routing_ = test::make_routing({
      {"app", {"app.>"}}
  });
  std::unique_ptr<StreamRouter> router_;
  std::unique_ptr<PdpNode> node_;
};

// A run of messages as DATA carries it: "message 7...." of so many bytes.
[[nodiscard]] inline std::vector<std::byte> lay_out_messages(std::uint64_t first,
                                                             std::uint32_t count,
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
