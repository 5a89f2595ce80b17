// A session and a fake node with a network between them, in one thread under a seed: time leaps
// from one thing to the next.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/client/session_core.h"
#include "tests/unit/dataplane/client/fake_node.h"

namespace penstock::client::test {

struct NetworkOptions {
  std::uint32_t lost_per_million = 0;
  std::uint32_t doubled_per_million = 0;
  std::int64_t delay_ns = 100'000;
  std::int64_t jitter_ns = 0;  // more, at random: what is later may come earlier
  std::size_t datagram_bytes_max = pdp::kFrameBytesMax;  // longer ones vanish
};

// What became of each message, by the number that was its opaque.
struct Reported {
  Outcome outcome = Outcome::kAcknowledged;
  bool may_be_stored = false;
  pdp::RejectReason reason = pdp::RejectReason::kNone;
};

class SessionWorld final : public SessionListener {
 public:
  SessionWorld(const SessionOptions& session_options, const FakeNodeOptions& node_options,
               const NetworkOptions& network_options, std::uint64_t seed);

  // The message's number is in its payload, of `bytes` at least. False: the core is full.
  bool append(const std::string& subject, std::size_t bytes = 16);
  // Lets time pass until nothing is left to do, at most that long. Returns whether `done`.
  template <class Done>
  bool run_until(Done done, std::int64_t time_ns = 60 * kNanosPerSecond) {
    const MonotonicNanos end = now + time_ns;
    while (!done()) {
      if (!step(end)) return done();
    }
    return true;
  }
  bool run_until_reported(std::int64_t time_ns = 60 * kNanosPerSecond) {
    return run_until([&] { return core->held_messages() == 0; }, time_ns);
  }
  void run_for(std::int64_t time_ns) {
    run_until([] { return false; }, time_ns);
  }
  [[nodiscard]] bool saw(SessionEvent event) const { return events.contains(event); }
  [[nodiscard]] FakeSession& session() { return node.sessions.begin()->second; }
  // Numbers of the messages stored by all sessions, as they are in order.
  [[nodiscard]] std::vector<std::uint64_t> stored_numbers();

  void on_report(const DeliveryReport& report) override;
  void on_event(SessionEvent event) override { ++events[event]; }

  MonotonicNanos now{kNanosPerSecond};
  NetworkOptions network;
  FakeNode node;
  Rng rng;
  std::unique_ptr<SessionCore> core;
  bool node_is_there = true;  // else all that is sent to it vanishes
  bool makes_durable = true;
  std::int64_t durable_every_ns = 500'000;
  std::map<std::uint64_t, Reported> reports;
  std::map<SessionEvent, int> events;
  std::vector<std::string> subjects;  // of messages, by number
  std::uint64_t steps = 0;

 private:
  struct Sent {
    bool to_node;
    Bytes bytes;
  };
  bool step(MonotonicNanos end);
  void poll();
  void send(bool to_node, std::span<const std::byte> bytes);
  void deliver();

  std::multimap<std::int64_t, Sent> under_way_;
  MonotonicNanos next_durable_;
};

// What the number of a message is, from its payload.
[[nodiscard]] std::uint64_t number_of(const StoredMessage& message);

}  // namespace penstock::client::test
