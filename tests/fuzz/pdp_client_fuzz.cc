// Whatever a node says, and whenever: the session of a producer keeps its promises, reports each
// message once, and says nothing that the protocol does not allow.
#include "base/check.h"
#include "dataplane/client/session_core.h"
#include "dataplane/door/pdp/run_check.h"
#include "tests/fuzz/fuzz_input.h"

using namespace penstock;
using namespace penstock::client;

namespace {

class Judge final : public SessionListener {
 public:
  void on_report(const DeliveryReport& report) override {
    CHECK_EQ(report.opaques.size(), report.messages);
    for (const std::uint64_t number : report.opaques) {
      CHECK_LT(number, reported.size());
      CHECK(!reported[number]);
      reported[number] = true;
    }
  }
  void on_event(SessionEvent /*event*/) override {}
  std::vector<bool> reported;
};

class Fuzzed {
 public:
  explicit Fuzzed(fuzz::FuzzInput& input)
      : input_(input), options_(options(input)), core_(options_, judge_, rng_) {
    core_.open(now_, Path::kAnother);
  }

  void run() {
    while (!input_.empty()) {
      const auto what = input_.number<std::uint8_t>();
      now_ += std::int64_t{1} << (what >> 3U);  // up to two seconds
      switch (what % 8) {
        case 0: append(); break;
        case 1: receive(input_.bytes(input_.number<std::uint8_t>())); break;
        case 2: answer(pdp::FrameType::kAck, sizeof(pdp::AckBody)); break;
        case 3: answer(pdp::FrameType::kAccept, sizeof(pdp::AcceptBody)); break;
        case 4: answer_hello(); break;
        case 5: control(); break;
        case 6: answer_any(); break;
        default: break;
      }
      poll();
    }
    core_.abandon();
    for (const bool reported : judge_.reported) CHECK(reported);
    CHECK_EQ(core_.held_messages(), 0U);
  }

 private:
  static SessionOptions options(fuzz::FuzzInput& input) {
    const auto bits = input.number<std::uint8_t>();
    SessionOptions options;
    options.name = std::as_bytes(std::span("fuzz", 4));
    options.level = static_cast<pdp::Level>(bits % 4);
    options.frames = 4 + (bits >> 5U);
    options.batch = {.subjects_max = 2, .messages_per_frame_max = 40};
    options.message_timeout_ns = (bits & 4U) != 0 ? kNanosPerSecond : 0;
    options.linger_ns = (bits & 8U) != 0 ? kNanosPerMilli : 0;
    return options;
  }

  void append() {
    const std::array<std::string_view, 3> subjects = {"a", "b.c", "d"};
    const auto bytes = input_.number<std::uint16_t>();
    const std::vector<std::byte> payload(bytes % 1300);
    judge_.reported.push_back(false);
    if (core_.append({.subject = subjects[bytes % 3], .payload = payload},
                     judge_.reported.size() - 1, now_) != Appended::kDone) {
      judge_.reported.pop_back();
    }
  }

  void receive(std::span<const std::byte> datagram) { core_.receive(datagram, now_); }

  // A frame of a right head and the input's numbers, as sent to the connection.
  void answer(pdp::FrameType type, std::size_t body_bytes) {
    std::vector<std::byte> frame(sizeof(pdp::FrameHeader) + body_bytes);
    std::ranges::copy(input_.bytes(body_bytes), frame.begin() + sizeof(pdp::FrameHeader));
    store(std::span(frame), 0,
          pdp::FrameHeader{.magic = pdp::kMagic,
                           .version = pdp::kVersion,
                           .type = type,
                           .flags = 0,
                           .length = static_cast<std::uint16_t>(frame.size()),
                           .connection = 1});
    if (type == pdp::FrameType::kAccept) {
      auto accept = load<pdp::AcceptBody>(frame, sizeof(pdp::FrameHeader));
      accept.nonce = nonce_;
      accept.session = pdp::session_number({}, std::as_bytes(std::span("fuzz", 4)));
      accept.shards = 1;
      accept.shard = 0;
      accept.reserved0 = 0;
      accept.reserved1 = 0;
      accept.lost = 0;
      accept.next %= 100;
      accept.durable = std::min(accept.durable, accept.next);
      accept.limit = accept.next + accept.limit % 1000;
      accept.frame_bytes_max = std::clamp<std::uint16_t>(accept.frame_bytes_max, 1232, 8972);
      store(std::span(frame), sizeof(pdp::FrameHeader), accept);
    }
    if (type == pdp::FrameType::kAck) {
      auto ack = load<pdp::AckBody>(frame, sizeof(pdp::FrameHeader));
      ack.received %= highest_ + 1;
      ack.written = std::min(ack.written, ack.received);
      ack.durable = std::min(ack.durable, ack.written);
      ack.limit = std::max(ack.limit % 1000, ack.received);
      ack.lost = 0;
      ack.range_count = ack.range_count % 2;
      ack.reserved = 0;
      ack.state = pdp::CreditState::kFlows;
      store(std::span(frame), sizeof(pdp::FrameHeader), ack);
      if (ack.range_count == 1) {
        pdp::AckRange range{.first = ack.received + 1 + ack.credit_bytes % 8, .end = 0};
        range.end = range.first + 1 + ack.delay_us % 50;
        frame.resize(frame.size() + sizeof range);
        store(std::span(frame), frame.size() - sizeof range, range);
        store(std::span(frame), offsetof(pdp::FrameHeader, length),
              static_cast<std::uint16_t>(frame.size()));
      }
    }
    receive(frame);
  }

  void answer_hello() {
    std::array<std::byte, 72> frame{};
    pdp::encode_frame(std::span(frame), pdp::FrameType::kCookie, 0,
                      pdp::CookieBody{.nonce = nonce_, .shards = 1});
    receive(frame);
  }

  void answer_any() {
    const std::array<std::pair<pdp::FrameType, std::size_t>, 7> types = {
        {
         {pdp::FrameType::kReject, sizeof(pdp::RejectBody)},
         {pdp::FrameType::kClosed, sizeof(pdp::ClosedBody)},
         {pdp::FrameType::kGoAway, sizeof(pdp::GoAwayBody)},
         {pdp::FrameType::kChallenge, sizeof(pdp::ChallengeBody)},
         {pdp::FrameType::kReset, sizeof(pdp::ResetBody)},
         {pdp::FrameType::kCapture, sizeof(pdp::CaptureBody)},
         {pdp::FrameType::kRefuse, sizeof(pdp::RefuseBody)},
         }
    };
    const auto& [type, bytes] = types[input_.number<std::uint8_t>() % types.size()];
    answer(type, bytes);
  }

  void control() {
    switch (input_.number<std::uint8_t>() % 16) {
      case 0: core_.purge(false); break;
      case 1: core_.purge(true); break;
      case 2: core_.flush(); break;
      case 3: core_.open(now_, Path::kSame); break;
      case 4: core_.open(now_, Path::kAnother); break;
      case 5: core_.ask("a.b", now_); break;
      case 6: core_.close(); break;
      case 7: core_.refused_length(input_.number<std::uint16_t>() % 9000, now_); break;
      default: break;
    }
  }

  void poll() {
    std::array<SessionCore::Datagram, 16> out;
    for (int turns = 0; turns < 100; ++turns) {
      const std::size_t count = core_.poll(out, now_);
      for (std::size_t i = 0; i < count; ++i) look_at(out[i]);
      if (count < out.size()) return;
    }
    CHECK(false);  // it never comes to an end
  }

  void look_at(SessionCore::Datagram datagram) {
    const auto frame = pdp::decode_frame(datagram, pdp::Sender::kProducer);
    CHECK(frame.has_value());
    if (frame->header.type == pdp::FrameType::kHello) {
      nonce_ = pdp::body_of<pdp::HelloBody>(*frame).nonce;
    }
    if (frame->header.type != pdp::FrameType::kData &&
        frame->header.type != pdp::FrameType::kSkip) {
      return;
    }
    const auto data = pdp::body_of<pdp::DataBody>(*frame);
    const std::uint64_t end = data.sequence + data.message_count;
    highest_ = std::max(highest_, end);
    if (options_.level != pdp::Level::kNone) CHECK_LE(end, core_.limit());
    if (frame->header.type == pdp::FrameType::kData) {
      CHECK(pdp::check_run(pdp::messages_of(*frame), data.message_count).has_value());
      CHECK_LE(datagram.size(), std::size_t{8972});
    }
  }

  fuzz::FuzzInput& input_;
  SessionOptions options_;
  Judge judge_;
  Rng rng_{1};
  MonotonicNanos now_{kNanosPerSecond};
  pdp::Nonce nonce_{};
  std::uint64_t highest_ = 0;
  SessionCore core_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::FuzzInput input(data, size);
  Fuzzed(input).run();
  return 0;
}
