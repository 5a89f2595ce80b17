// The node's end of PDP as docs/pdp.md has it, for tests of the producer's end only: no drive, no
// limits but those that a test sets, and it remembers all that it stored.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "dataplane/door/pdp/keys.h"
#include "dataplane/door/pdp/replay_window.h"
#include "dataplane/door/pdp/run_check.h"

namespace penstock::client::test {

using Bytes = std::vector<std::byte>;

struct FakeNodeOptions {
  std::uint16_t shard = 0;
  std::uint16_t shards = 1;
  std::uint64_t window_messages = 4096;  // limit = received + it
  std::uint32_t credit_bytes = 256 * 1024;
  std::uint32_t idle_ms = 30'000;
  std::uint16_t frame_bytes_max = pdp::kFrameBytesMax;
  std::string key_name;  // empty: without a key
  pdp::ProducerKey key{};
  bool refuses = false;  // REFUSE answers each OPEN, with that time
  std::uint32_t refuse_ms = 0;
};

struct StoredMessage {
  std::uint64_t sequence;
  std::string subject;
  std::string payload;
  std::string headers;
};

// One session, as the node knows it.
struct FakeSession {
  std::string name;
  pdp::Level level = pdp::Level::kDurable;
  std::uint64_t connection = 0;
  std::uint64_t received = 0;
  std::uint64_t written = 0;
  std::uint64_t durable = 0;
  std::uint64_t limit = 0;
  std::uint64_t lost = 0;
  std::map<std::uint64_t, Bytes> held;  // DATA and SKIP behind a gap
  std::vector<StoredMessage> stored;
  pdp::Nonce nonce{};  // of its last OPEN
  Bytes accept;        // that answered it
  bool closing = false;
  std::uint64_t close_at = 0;
  bool seen_any = false;
  // Of the connection.
  pdp::SealKey producer_key{};
  pdp::SealKey node_key{};
  std::uint64_t packets_sent = 0;
  pdp::ReplayWindow replays;
  std::uint32_t echo_us = 0;  // an ACK is owed; 0: none
  std::uint16_t probe_bytes = 0;
  bool owes_ack = false;
};

// One thread. What it says is in `said`, for the test to deliver.
class FakeNode {
 public:
  FakeNode(const FakeNodeOptions& options, std::uint64_t seed);

  void receive(std::span<const std::byte> datagram);
  // Acknowledges what came since: a burst is over.
  void answer();
  // Some of what was received is written, some of what was written is durable.
  void make_durable(bool all);
  // Forgets what is not durable, its connections, and has another boot number.
  void crash();
  // Forgets the connections only.
  void forget_connections();
  void say_go_away(pdp::GoAwayReason reason, std::string_view endpoint);

  std::vector<Bytes> said;
  std::map<std::uint64_t, FakeSession> sessions;
  std::uint64_t dropped = 0;     // frames that it could not take, or not read
  std::uint64_t over_limit = 0;  // frames that should not have been sent
  std::uint64_t duplicates = 0;
  std::uint64_t resets = 0;
  std::uint64_t opens = 0;
  std::uint32_t refuse_ms;
  bool refuses;
  bool resets_strangers = true;
  FakeNodeOptions options;

 private:
  void hello(const pdp::Frame& frame);
  void open(const pdp::Frame& frame, std::span<const std::byte> datagram);
  void accept(FakeSession& session, const pdp::OpenBody& open, std::uint64_t number);
  void data(FakeSession& session, const pdp::Frame& frame, std::span<const std::byte> datagram);
  void take(FakeSession& session, std::span<const std::byte> datagram);
  void hold(FakeSession& session, const pdp::DataBody& data, std::span<const std::byte> datagram);
  void take_held(FakeSession& session);
  void close(FakeSession& session, const pdp::CloseBody& close);
  void ack(FakeSession& session);
  [[nodiscard]] std::uint64_t mark(const FakeSession& session) const;
  template <class Body>
  void say(FakeSession& session, pdp::FrameType type, const Body& body, Bytes tail = {});

  Rng rng_;
  std::uint64_t boot_;
  std::uint64_t issued_ns_ = 0;
  std::map<std::uint64_t, std::uint64_t> connections_;  // to the session's number
};

}  // namespace penstock::client::test
