// The producers of a simulated node: each is a session's core with an address, which appends,
// polls, receives, moves, dies and begins anew.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dataplane/client/session_core.h"
#include "dataplane/door/pdp/key_ring.h"
#include "tests/sim/network.h"
#include "tests/sim/session_oracle.h"

namespace penstock::sim {

// What the producers of one session have in common, whoever of them lives.
struct SessionPlan {
  std::string name;
  std::string key_name;  // empty: without a key
  pdp::ProducerKey key{};
  pdp::Level level = pdp::Level::kDurable;
  std::int64_t message_timeout_ns = 0;
  std::vector<std::string> subjects;
  SessionNumber number;
};

// One life of a producer.
class SimProducer final : public client::SessionListener {
 public:
  SimProducer(const SessionPlan& plan, std::uint16_t port, Rng& rng, SessionOracle& oracle,
              MonotonicNanos now);

  void append(MonotonicNanos now);
  void poll(Network& network, MonotonicNanos now);
  void receive(std::span<const std::byte> datagram, std::uint64_t life, MonotonicNanos now);
  void move(std::uint16_t port) { port_ = port; }
  [[nodiscard]] client::SessionCore& core() { return *core_; }
  [[nodiscard]] const SessionPlan& plan() const { return plan_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] bool is_closed() { return core_->state() == client::SessionState::kClosed; }
  [[nodiscard]] MonotonicNanos next() const;

  void on_report(const client::DeliveryReport& report) override {
    oracle_.settled(plan_.number, report, life_);
  }
  void on_event(client::SessionEvent event) override;

 private:
  void note_said(std::span<const std::byte> datagram);

  const SessionPlan& plan_;
  std::uint16_t port_;
  Rng& rng_;
  SessionOracle& oracle_;
  std::unique_ptr<client::SessionCore> core_;
  std::uint64_t life_ = 0;  // of the node: that the packet taken now is from
  bool stirred_ = true;     // something happened since the last poll
  std::vector<std::byte> payload_;
};

// The sessions of a run, with the keys that the node knows.
struct SessionPlans {
  std::vector<std::unique_ptr<SessionPlan>> plans;
  pdp::KeyRing keys;
};
[[nodiscard]] SessionPlans draw_plans(Rng& rng, SessionOracle& oracle);

}  // namespace penstock::sim
