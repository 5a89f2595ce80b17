// What a producer's session costs for each frame: messages appended, the frame sent, acknowledged.

#include "base/check.h"
#include "dataplane/client/session_core.h"
#include "perf/micro/counted.h"

namespace penstock::micro {
namespace {

using namespace client;

constexpr std::size_t kBurst = 32;  // frames that one ACK answers

struct NoListener final : SessionListener {
  void on_report(const DeliveryReport& report) override { reported += report.messages; }
  void on_event(SessionEvent /*event*/) override {}
  std::uint64_t reported = 0;
};

// A session with a node that answers at once.
class Loop {
 public:
  explicit Loop(std::size_t message_bytes)
      : payload_(message_bytes), core_(options(), listener_, rng_) {
    core_.open(now_, Path::kAnother);
    turn();
    const auto hello = load<pdp::HelloBody>(out_[0], sizeof(pdp::FrameHeader));
    std::array<std::byte, 72> cookie{};
    pdp::encode_frame(std::span(cookie), pdp::FrameType::kCookie, 0,
                      pdp::CookieBody{.nonce = hello.nonce, .shards = 1});
    core_.receive(cookie, now_);
    turn();
    std::array<std::byte, 120> accept{};
    pdp::encode_frame(std::span(accept), pdp::FrameType::kAccept, 1,
                      pdp::AcceptBody{.nonce = hello.nonce,
                                      .session = pdp::session_number({}, name_),
                                      .limit = kProducerSequenceEnd,
                                      .credit_bytes = 1U << 30U,
                                      .idle_ms = 30'000,
                                      .frame_bytes_max = 1472,
                                      .shards = 1});
    core_.receive(accept, now_);
    CHECK(core_.is_connected());
  }

  void burst(std::size_t messages_per_frame) {
    for (std::size_t frame = 0; frame < kBurst; ++frame) {
      for (std::size_t i = 0; i < messages_per_frame; ++i) {
        CHECK(core_.append({.subject = "bench.subject", .payload = payload_}, next_, now_) ==
              Appended::kDone);
        ++next_;
      }
      core_.flush();
    }
    // Until the window has grown a burst takes several turns.
    while (acknowledged_ != next_) acknowledge(acknowledged_ + turn() * messages_per_frame);
    CHECK_EQ(listener_.reported, next_);
  }

 private:
  void acknowledge(std::uint64_t received) {
    acknowledged_ = received;
    now_ += 1000;
    std::array<std::byte, 80> ack{};
    pdp::encode_frame(std::span(ack), pdp::FrameType::kAck, 1,
                      pdp::AckBody{.received = received,
                                   .written = received,
                                   .durable = received,
                                   .limit = kProducerSequenceEnd,
                                   .credit_bytes = 1U << 30U,
                                   .echoed_us = stamp_of(now_)});
    core_.receive(ack, now_);
  }
  SessionOptions options() {
    SessionOptions options;
    options.name = name_;
    options.frames = 256;
    options.path.frame_bytes_first = 1472;
    options.path.frame_bytes_max = 1472;
    return options;
  }
  std::size_t turn() { return core_.poll(out_, now_); }

  std::array<std::byte, 1> name_{};
  std::vector<std::byte> payload_;
  NoListener listener_;
  Rng rng_{1};
  MonotonicNanos now_{kNanosPerSecond};
  std::array<SessionCore::Datagram, 64> out_{};
  std::uint64_t next_ = 0;
  std::uint64_t acknowledged_ = 0;
  SessionCore core_;
};

void pdp_client_frame(benchmark::State& state) {
  const auto messages = size_of(state);
  // As many bytes as a full frame over Ethernet has, whatever the number of messages.
  const std::size_t bytes = messages == 1 ? 1400 : 64;
  Loop loop(bytes);
  for (auto _ : state) loop.burst(messages);
  count(state, {.items = kBurst, .bytes = kBurst * messages * bytes});
}
BENCHMARK(pdp_client_frame)->Arg(1)->Arg(17);

}  // namespace
}  // namespace penstock::micro
