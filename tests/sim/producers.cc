#include "tests/sim/producers.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace penstock::sim {
namespace {

using client::SessionCore;
using client::SessionState;

constexpr std::size_t kFramesHeld = 48;
constexpr std::size_t kPayloadBytesMax = 1200;
constexpr std::int64_t kSilenceNs = 500'000'000;

client::SessionOptions options_of(const SessionPlan& plan, Rng& rng) {
  client::SessionOptions options;
  options.name = std::as_bytes(std::span(plan.name));
  options.key_name = plan.key_name;
  options.key = plan.key;
  options.level = plan.level;
  options.frames = client::kPiecesReserved + 1 + rng.below(kFramesHeld);
  options.batch = {.subjects_max = 1 + rng.below(4),
                   .messages_per_frame_max = static_cast<std::uint32_t>(1 + rng.below(64))};
  options.linger_ns = static_cast<std::int64_t>(rng.below(5'000'000));
  options.message_timeout_ns = plan.message_timeout_ns;
  options.silence_ns = kSilenceNs;
  options.path.frame_bytes_max = 1472;
  return options;
}

}  // namespace

SimProducer::SimProducer(const SessionPlan& plan, std::uint16_t port, Rng& rng,
                         SessionOracle& oracle, MonotonicNanos now)
    : plan_(plan),
      port_(port),
      rng_(rng),
      oracle_(oracle),
      core_(std::make_unique<SessionCore>(options_of(plan, rng), *this, rng)),
      payload_(kPayloadBytesMax) {
  core_->open(now, client::Path::kAnother);
}

void SimProducer::append(MonotonicNanos now) {
  const std::uint64_t number = oracle_.next_message();
  const bool is_short = rng_.chance(600'000);
  const auto payload = std::span(payload_).first(1 + rng_.below(is_short ? 60 : kPayloadBytesMax));
  for (std::size_t i = 0; i < payload.size(); ++i) {
    payload[i] = static_cast<std::byte>(number * 31 + i);
  }
  const std::string& subject = plan_.subjects[rng_.below(plan_.subjects.size())];
  const auto appended = core_->append({.subject = subject,
                                       .key = std::as_bytes(std::span(&number, 1)),
                                       .headers = {},
                                       .payload = payload},
                                      number, now);
  if (appended != client::Appended::kDone) return;
  oracle_.appended(plan_.number, subject, payload);
  stirred_ = true;
}

MonotonicNanos SimProducer::next() const {
  return stirred_ ? MonotonicNanos(0) : core_->next_deadline();
}

void SimProducer::poll(Network& network, MonotonicNanos now) {
  if (core_->state() == SessionState::kRefused) core_->open(now, client::Path::kSame);
  if (next() > now) return;
  stirred_ = false;
  std::array<SessionCore::Datagram, 16> out;
  std::size_t count = 0;
  do {
    count = core_->poll(out, now);
    for (const auto datagram : std::span(out).first(count)) {
      note_said(datagram);
      network.send_to_node(port_, datagram);
    }
  } while (count == out.size());
}

void SimProducer::note_said(std::span<const std::byte> datagram) {
  const auto frame = pdp::decode_frame(datagram, pdp::Sender::kProducer);
  if (!frame) return oracle_.fail("a producer says what is no frame");
  switch (frame->header.type) {
    case pdp::FrameType::kData:
    case pdp::FrameType::kSkip: {
      const auto data = pdp::body_of<pdp::DataBody>(*frame);
      return oracle_.said(plan_.number, data.sequence + data.message_count);
    }
    case pdp::FrameType::kOpen:
      return oracle_.said(plan_.number, pdp::body_of<pdp::OpenBody>(*frame).oldest);
    case pdp::FrameType::kClose:
      return oracle_.said(plan_.number, pdp::body_of<pdp::CloseBody>(*frame).next);
    default: return;
  }
}

void SimProducer::receive(std::span<const std::byte> datagram, std::uint64_t life,
                          MonotonicNanos now) {
  life_ = life;
  core_->receive(datagram, now);
  stirred_ = true;
}

void SimProducer::on_event(client::SessionEvent event) {
  oracle_.trace(static_cast<std::uint64_t>(event) + 1000);
}

SessionPlans draw_plans(Rng& rng, SessionOracle& oracle) {
  constexpr std::array kLevels{pdp::Level::kDurable, pdp::Level::kDurable,  pdp::Level::kDurable,
                               pdp::Level::kWritten, pdp::Level::kReceived, pdp::Level::kNone};
  SessionPlans drawn;
  std::string key_file;
  for (std::uint64_t i = 0, count = 1 + rng.below(5); i < count; ++i) {
    auto plan = std::make_unique<SessionPlan>();
    plan->name = fmt::format("producer{}", i);
    plan->level = kLevels[rng.below(kLevels.size())];
    if (rng.chance(400'000)) {
      plan->key_name = fmt::format("key{}", i);
      key_file += plan->key_name + " ";
      for (std::byte& byte : plan->key) {
        byte = static_cast<std::byte>(rng.next());
        key_file += fmt::format("{:02x}", static_cast<unsigned>(byte));
      }
      key_file += "\n";
    }
    if (rng.chance(200'000)) {
      plan->message_timeout_ns = static_cast<std::int64_t>(20'000'000 + rng.below(2'000'000'000));
    }
    for (std::uint64_t k = 0, subjects = 1 + rng.below(4); k < subjects; ++k) {
      plan->subjects.push_back(
          rng.chance(500'000) ? fmt::format("lines.p{}.{}", i, k)
                              : fmt::format("syslog.user.{}.p{}", k % 2 == 0 ? "err" : "info", i));
    }
    if (rng.chance(200'000)) plan->subjects.emplace_back("nowhere.to.go");
    if (rng.chance(100'000)) plan->subjects.emplace_back("not..valid");
    plan->number =
        SessionNumber(pdp::session_number(plan->key_name, std::as_bytes(std::span(plan->name))));
    oracle.know_session(plan->number, plan->level);
    drawn.plans.push_back(std::move(plan));
  }
  drawn.keys = pdp::KeyRing::parse(key_file, "keys").value();
  return drawn;
}

}  // namespace penstock::sim
