// A session and its socket: which node is asked, and when.
#include "dataplane/client/producer_link.h"

#include <poll.h>

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "tests/lib/wait_until.h"
#include "tests/unit/dataplane/client/udp_node.h"

namespace penstock::client {
namespace {

using ::penstock::test::wait_until;
using test::FakeNodeOptions;
using test::UdpNode;

// ---- Names ---------------------------------------------------------------------------------

// A name server that answers when it is told to.
std::atomic<bool> answers{false};
std::atomic<int> asked{0};
std::atomic<int> answered{0};

Result<std::vector<UdpAddress>> look_slowly(const Endpoint& endpoint) {
  ++asked;
  EXPECT_TRUE(wait_until([] { return answers.load(); }, std::chrono::minutes(1)));
  auto addresses = resolve({"127.0.0.1", endpoint.port});
  ++answered;
  return addresses;
}

class AddressLookupTest : public testing::Test {
 protected:
  AddressLookupTest() {
    answers = false;
    asked = answered = 0;
  }
  // No thread of a test outlives it.
  ~AddressLookupTest() override {
    answers = true;
    EXPECT_TRUE(wait_until([] { return answered.load() == asked.load(); }));
  }
};

TEST_F(AddressLookupTest, ANameKeepsNobodyWaiting) {
  AddressLookup lookup(&look_slowly);
  lookup.start({"node1", 99});
  EXPECT_FALSE(lookup.take().has_value());
  pollfd waits{.fd = lookup.descriptor(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&waits, 1, 0), 0);
  answers = true;
  ASSERT_EQ(poll(&waits, 1, 5000), 1);
  const auto addresses = lookup.take();
  ASSERT_TRUE(addresses.has_value());
  ASSERT_TRUE(addresses->has_value());
  EXPECT_EQ((*addresses)->size(), 1U);
  EXPECT_EQ(lookup.descriptor(), -1);
  EXPECT_FALSE(lookup.take().has_value());
}

TEST_F(AddressLookupTest, AnAddressNeedsNoLookup) {
  AddressLookup lookup(&look_slowly);
  for (const char* host : {"127.0.0.1", "::1"}) {
    lookup.start({host, 99});
    const auto addresses = lookup.take();
    ASSERT_TRUE(addresses.has_value()) << host;
    EXPECT_TRUE(addresses->has_value()) << host;
  }
  EXPECT_EQ(asked.load(), 0);
}

TEST_F(AddressLookupTest, AnotherLookupIsNotDelayedAndTheSameOneNotRepeated) {
  AddressLookup lookup(&look_slowly);
  lookup.start({"node1", 99});
  lookup.start({"node1", 99});
  lookup.start({"127.0.0.1", 98});
  ASSERT_TRUE(lookup.take().has_value());
  EXPECT_FALSE(lookup.take().has_value());
  ASSERT_TRUE(wait_until([] { return asked.load() == 1; }));
}

TEST_F(AddressLookupTest, WhatIsUnderWayDoesNotOutstayItsBound) {
  std::vector<std::unique_ptr<AddressLookup>> lookups;
  for (unsigned i = 0; i < kLookupThreadsMax + 1; ++i) {
    lookups.push_back(std::make_unique<AddressLookup>(&look_slowly));
    lookups.back()->start({"node1", 99});
  }
  const auto refused = lookups.back()->take();
  ASSERT_TRUE(refused.has_value());
  EXPECT_FALSE(refused->has_value());
  // Destroyed while they wait; nobody waits for them.
  lookups.clear();
  ASSERT_TRUE(wait_until([] { return asked.load() == int{kLookupThreadsMax}; }));
}

// ---- Links ---------------------------------------------------------------------------------

class ProducerLinkTest : public AddressLookupTest {
 protected:
  struct Listener final : SessionListener {
    void on_report(const DeliveryReport& /*report*/) override {}
    void on_event(SessionEvent event) override { link->note(event); }
    ProducerLink* link = nullptr;
  };
  void start(const std::string& servers) {
    ASSERT_TRUE(config_.set("bootstrap.servers", servers).has_value());
    link_ = std::make_unique<ProducerLink>(LinkOptions{.config = &config_,
                                                       .key = {},
                                                       .session_name = "test",
                                                       .suits_shard = false,
                                                       .resolve = &look_slowly},
                                           listener_, rng_);
    listener_.link = link_.get();
    link_->start(0, clock_.monotonic_now());
  }
  template <class Done>
  bool run_until(Done done, std::int64_t time_ns) {
    const MonotonicNanos end = clock_.monotonic_now() + time_ns;
    while (!done()) {
      const MonotonicNanos now = clock_.monotonic_now();
      if (now >= end) return false;
      link_->receive(now);
      link_->send(now);
      link_->follow_events(now);
      pollfd waits{.fd = link_->descriptor(), .events = POLLIN, .revents = 0};
      const std::int64_t wait_ns = std::min(link_->next_deadline(), end) - now;
      poll(&waits, 1, static_cast<int>(std::clamp<std::int64_t>(wait_ns / 1'000'000, 0, 50)));
    }
    return true;
  }
  void run_for(std::int64_t time_ns) {
    run_until([] { return false; }, time_ns);
  }
  ProducerConfig config_;
  Listener listener_;
  Rng rng_{1};
  SystemClock clock_;
  std::unique_ptr<ProducerLink> link_;
};

TEST_F(ProducerLinkTest, ANodesNameIsLookedUpOnceForAllPorts) {
  UdpNode node;
  start("node1:" + std::to_string(node.port()));
  EXPECT_FALSE(run_until([&] { return link_->core().is_connected(); }, 50 * kNanosPerMilli));
  answers = true;
  ASSERT_TRUE(run_until([&] { return link_->core().is_connected(); }, 5 * kNanosPerSecond));
  link_->change_port(clock_.monotonic_now());
  EXPECT_FALSE(link_->core().is_connected());
  ASSERT_TRUE(run_until([&] { return link_->core().is_connected(); }, 5 * kNanosPerSecond));
  EXPECT_EQ(asked.load(), 1);
}

TEST_F(ProducerLinkTest, TheNextEndpointIsTriedWhenANameIsNotFoundOut) {
  UdpNode node;
  start("node1," + node.endpoint());
  ASSERT_TRUE(run_until([&] { return link_->core().is_connected(); }, 5 * kNanosPerSecond));
  EXPECT_EQ(link_->endpoint(), 1U);
}

TEST_F(ProducerLinkTest, NodesThatAreFullAreNotAskedBeforeTheySaid) {
  UdpNode first({.refuses = true, .refuse_ms = 1000});
  UdpNode second({.refuses = true, .refuse_ms = 500});
  start(first.endpoint() + "," + second.endpoint());
  run_for(2'250 * kNanosPerMilli);
  first.stop();
  second.stop();
  EXPECT_GE(first.node().opens, 2U);
  EXPECT_LE(first.node().opens, 3U);
  EXPECT_GE(second.node().opens, 2U);
  EXPECT_LE(second.node().opens, 5U);
}

TEST_F(ProducerLinkTest, NodesThatRefuseForGoodAreLeftAlone) {
  UdpNode first({.refuses = true});
  UdpNode second({.refuses = true});
  start(first.endpoint() + "," + second.endpoint());
  run_for(1500 * kNanosPerMilli);
  first.stop();
  second.stop();
  EXPECT_EQ(first.node().opens, 1U);
  EXPECT_EQ(second.node().opens, 1U);
}

TEST_F(ProducerLinkTest, ANodeThatDiesBehindItsResetIsLeft) {
  UdpNode first;
  UdpNode second;
  start(first.endpoint() + "," + second.endpoint());
  ASSERT_TRUE(run_until([&] { return link_->core().is_connected(); }, 5 * kNanosPerSecond));
  first.only_reset();
  const std::array<std::byte, 8> payload{};
  ASSERT_EQ(link_->core().append({.subject = "a", .payload = payload}, 0, clock_.monotonic_now()),
            Appended::kDone);
  ASSERT_TRUE(run_until([&] { return second.stored() == 1; }, 10 * kNanosPerSecond));
  EXPECT_EQ(link_->endpoint(), 1U);
}

}  // namespace
}  // namespace penstock::client
