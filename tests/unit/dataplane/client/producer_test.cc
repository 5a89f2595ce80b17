#include "dataplane/client/producer.h"

#include <atomic>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "tests/lib/wait_until.h"
#include "tests/unit/dataplane/client/udp_node.h"

namespace penstock::client {
namespace {

using ::penstock::test::wait_until;
using test::FakeNodeOptions;
using test::UdpNode;

constexpr std::int64_t kLongMs = 20'000;

struct Reports final : DeliveryListener {
  void on_delivery(const Delivery& delivery) override {
    EXPECT_TRUE(outcomes.emplace(delivery.opaque, delivery).second) << delivery.opaque;
  }
  [[nodiscard]] std::size_t count(Outcome outcome) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        outcomes, [&](const auto& entry) { return entry.second.outcome == outcome; }));
  }
  std::map<std::uint64_t, Delivery> outcomes;
};

class ProducerTest : public testing::Test {
 protected:
  void set(std::string_view name, std::string_view value) {
    const auto done = config_.set(name, value);
    ASSERT_TRUE(done.has_value()) << done.error().what;
  }
  void start(const std::string& servers) {
    set("bootstrap.servers", servers);
    set("linger.ms", "1");
    auto producer = Producer::start(config_, &reports_);
    ASSERT_TRUE(producer.has_value()) << producer.error().what;
    producer_ = std::move(*producer);
  }
  void produce(std::uint64_t first, std::uint64_t count, const std::string& subject = "t.a") {
    for (std::uint64_t i = first; i < first + count; ++i) {
      const std::array<std::uint64_t, 4> payload = {i, i, i, i};
      ASSERT_EQ(
          producer_->produce({.subject = subject, .payload = std::as_bytes(std::span(payload))}, i,
                             WhenFull::kBlock),
          Produced::kQueued);
    }
  }
  static std::multiset<std::uint64_t> numbers(UdpNode& node) {
    std::multiset<std::uint64_t> numbers;
    for (const auto& [number, session] : node.node().sessions) {
      for (const auto& message : session.stored) {
        numbers.insert(load<std::uint64_t>(std::as_bytes(std::span(message.payload))));
      }
    }
    return numbers;
  }
  template <class Done>
  bool poll_until(Done done) {
    for (int i = 0; i < 2000; ++i) {
      if (done()) return true;
      producer_->poll(10);
    }
    return false;
  }
  ProducerConfig config_;
  Reports reports_;
  std::unique_ptr<Producer> producer_;
};

TEST_F(ProducerTest, MessagesReachTheNodeAndAreReportedOnce) {
  UdpNode node;
  start(node.endpoint());
  produce(0, 20'000);
  EXPECT_TRUE(producer_->flush(kLongMs));
  EXPECT_EQ(reports_.count(Outcome::kAcknowledged), 20'000U);
  EXPECT_TRUE(producer_->close(kLongMs));
  node.stop();
  const auto stored = numbers(node);
  EXPECT_EQ(stored.size(), 20'000U);
  EXPECT_EQ(std::set(stored.begin(), stored.end()).size(), 20'000U);
}

TEST_F(ProducerTest, EachShardOfTheNodeGetsASessionOfItsOwn) {
  FakeNodeOptions options;
  options.shards = 4;
  UdpNode node(options);
  start(node.endpoint());
  produce(0, 10);
  ASSERT_TRUE(poll_until([&] { return producer_->statistics().sessions_open == 4; }));
  EXPECT_GE(producer_->statistics().shards_reached, 3U);
  produce(10, 20'000);
  EXPECT_TRUE(producer_->flush(kLongMs));
  EXPECT_TRUE(producer_->close(kLongMs));
  node.stop();
  EXPECT_EQ(numbers(node).size(), 20'010U);
  std::size_t used = 0;
  for (const auto& [number, session] : node.node().sessions) used += session.stored.empty() ? 0 : 1;
  EXPECT_EQ(used, 4U);
}

// What comes to another shard has to be handed over, packet by packet.
TEST_F(ProducerTest, ASessionWhoseNameWasGivenLooksForThePortThatLeadsToItsShard) {
  FakeNodeOptions options;
  options.shards = 4;
  set("session.sockets", "1");
  constexpr int kNames = 8;
  int suiting = 0;
  for (int i = 0; i < kNames; ++i) {
    UdpNode node(options);
    set("session.name", "given-" + std::to_string(i));
    start(node.endpoint());
    produce(static_cast<std::uint64_t>(i) * 10, 10);
    EXPECT_TRUE(producer_->flush(kLongMs));
    EXPECT_TRUE(producer_->close(kLongMs));
    node.stop();
    ASSERT_EQ(node.node().sessions.size(), 1U);
    const std::uint64_t number = node.node().sessions.begin()->first;
    suiting += node.node().options.shard == number % options.shards ? 1 : 0;
  }
  // By chance it would be two; sixteen ports are tried.
  EXPECT_GE(suiting, kNames - 2);
}

TEST_F(ProducerTest, SealedSessionsWork) {
  const std::string path = testing::TempDir() + "penstock-keys-" + std::to_string(getpid());
  std::ofstream(path) << "site " << std::string(64, 'a') << "\n";
  FakeNodeOptions options;
  options.key_name = "site";
  options.key.fill(std::byte{0xAA});
  UdpNode node(options);
  set("key.name", "site");
  set("key.file", path);
  start(node.endpoint());
  produce(0, 500);
  EXPECT_TRUE(producer_->flush(kLongMs));
  EXPECT_TRUE(producer_->close(kLongMs));
  node.stop();
  EXPECT_EQ(numbers(node).size(), 500U);
  std::remove(path.c_str());
}

TEST_F(ProducerTest, TheNextEndpointIsTriedWhenOneDoesNotAnswer) {
  std::uint16_t nobody = 0;
  {
    const UdpNode gone;
    nobody = gone.port();
  }
  UdpNode node;
  start("127.0.0.1:" + std::to_string(nobody) + "," + node.endpoint());
  produce(0, 100);
  EXPECT_TRUE(producer_->flush(kLongMs));
  EXPECT_GE(producer_->statistics().failovers, 1U);
  producer_->close(kLongMs);
  node.stop();
  EXPECT_EQ(numbers(node).size(), 100U);
}

TEST_F(ProducerTest, ARedirectLeadsToTheOtherNode) {
  UdpNode first;
  UdpNode second;
  start(first.endpoint());
  produce(0, 100);
  ASSERT_TRUE(producer_->flush(kLongMs));
  first.go_away(second.endpoint());
  produce(100, 1);
  ASSERT_TRUE(producer_->flush(kLongMs));
  ASSERT_TRUE(poll_until([&] { return producer_->statistics().failovers >= 1; }));
  produce(101, 100);
  EXPECT_TRUE(producer_->flush(kLongMs));
  EXPECT_TRUE(producer_->close(kLongMs));
  EXPECT_GE(second.stored(), 100U);
  EXPECT_EQ(reports_.count(Outcome::kAcknowledged), 201U);
}

TEST_F(ProducerTest, AFullQueueIsToldAndMakesRoomWhenMessagesExpire) {
  set("queue.buffering.max.messages", "100");
  set("message.timeout.ms", "300");
  start("127.0.0.1:1");
  produce(0, 100);
  EXPECT_EQ(producer_->produce({.subject = "a"}, 100), Produced::kQueueFull);
  ASSERT_TRUE(poll_until([&] { return reports_.outcomes.size() == 100; }));
  EXPECT_EQ(reports_.count(Outcome::kExpired), 100U);
  EXPECT_EQ(producer_->produce({.subject = "a"}, 100), Produced::kQueued);
}

TEST_F(ProducerTest, OneThreadThatWaitsForRoomIsServedItsReports) {
  UdpNode node;
  set("queue.buffering.max.messages", "10");
  start(node.endpoint());
  produce(0, 500);
  EXPECT_GE(reports_.outcomes.size(), 490U);
  EXPECT_TRUE(producer_->close(kLongMs));
  EXPECT_EQ(reports_.count(Outcome::kAcknowledged), 500U);
}

TEST_F(ProducerTest, OneThreadThatWaitsForRoomGetsItWhenMessagesExpire) {
  set("queue.buffering.max.messages", "10");
  set("message.timeout.ms", "100");
  start("127.0.0.1:1");
  produce(0, 30);
  EXPECT_GE(reports_.count(Outcome::kExpired), 20U);
  EXPECT_FALSE(producer_->close(0));
  EXPECT_EQ(reports_.outcomes.size(), 30U);
}

TEST_F(ProducerTest, ACallbackNeverWaits) {
  struct Chain final : DeliveryListener {
    void on_delivery(const Delivery& delivery) override {
      if (delivery.opaque != 0) return;
      produced = {producer->produce({.subject = "t.a"}, 1, WhenFull::kBlock),
                  producer->produce({.subject = "t.a"}, 2, WhenFull::kBlock)};
      polled = producer->poll(kLongMs);
      flushed = producer->flush(kLongMs);
      closed = producer->close(kLongMs);
    }
    Producer* producer = nullptr;
    std::vector<Produced> produced;
    std::size_t polled = 1;
    bool flushed = true;
    bool closed = true;
  };
  set("bootstrap.servers", "127.0.0.1:1");
  set("queue.buffering.max.messages", "1");
  set("message.timeout.ms", "50");
  Chain chain;
  auto producer = Producer::start(config_, &chain);
  ASSERT_TRUE(producer.has_value());
  chain.producer = producer->get();
  ASSERT_EQ((*producer)->produce({.subject = "t.a"}, 0), Produced::kQueued);
  EXPECT_TRUE((*producer)->flush(kLongMs));
  EXPECT_EQ(chain.produced, (std::vector{Produced::kQueued, Produced::kQueueFull}));
  EXPECT_EQ(chain.polled, 0U);
  EXPECT_FALSE(chain.flushed);
  EXPECT_FALSE(chain.closed);
}

TEST_F(ProducerTest, WhatCannotBeSentIsRefusedAtOnce) {
  start("127.0.0.1:1");
  const std::vector<std::byte> long_payload(9000);
  EXPECT_EQ(producer_->produce({.subject = "a", .payload = long_payload}, 0), Produced::kTooLarge);
  EXPECT_EQ(producer_->produce({.subject = "a..b"}, 0), Produced::kBadSubject);
  EXPECT_EQ(producer_->produce({.subject = "a.*"}, 0), Produced::kBadSubject);
  const std::vector<std::byte> long_key(70'000);
  EXPECT_EQ(producer_->produce({.subject = "a", .key = long_key}, 0), Produced::kBadField);
  producer_->close(0);
  EXPECT_EQ(producer_->produce({.subject = "a"}, 0), Produced::kClosed);
}

TEST_F(ProducerTest, NoMessageTakesThePlaceOfOneThatCannotBeSent) {
  FakeNodeOptions options;
  options.frame_bytes_max = 1400;
  UdpNode node(options);
  set("session.sockets", "1");
  config_.keeps_places = true;
  start(node.endpoint());
  produce(0, 5);
  const std::vector<std::byte> long_payload(5000);
  ASSERT_EQ(producer_->produce({.subject = "t.a", .payload = long_payload}, 5), Produced::kQueued);
  produce(6, 5);
  EXPECT_TRUE(producer_->flush(kLongMs));
  produce(11, 5);
  EXPECT_TRUE(producer_->flush(kLongMs));
  producer_->close(kLongMs);
  node.stop();
  EXPECT_EQ(numbers(node), (std::multiset<std::uint64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(reports_.count(Outcome::kTooLarge), 1U);
  EXPECT_EQ(reports_.count(Outcome::kPurged), 10U);
}

TEST_F(ProducerTest, StatisticsTellWhatIsNowAlsoWhenNothingFollows) {
  UdpNode node;
  start(node.endpoint());
  EXPECT_TRUE(wait_until([&] { return producer_->statistics().sessions_open == 1; }));
}

TEST_F(ProducerTest, ClosingInHasteReportsWhatIsHeldAsPurged) {
  start("127.0.0.1:1");
  produce(0, 50);
  EXPECT_FALSE(producer_->close(0));
  EXPECT_EQ(reports_.count(Outcome::kPurged), 50U);
}

TEST_F(ProducerTest, PurgingReportsWhatWaits) {
  start("127.0.0.1:1");
  produce(0, 50);
  producer_->purge(true);
  EXPECT_TRUE(poll_until([&] { return reports_.count(Outcome::kPurged) == 50; }));
}

TEST_F(ProducerTest, SeveralThreadsProduceAtATime) {
  UdpNode node;
  start(node.endpoint());
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] { produce(t * 5000, 5000, "t." + std::to_string(t)); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(producer_->flush(kLongMs));
  EXPECT_TRUE(producer_->close(kLongMs));
  node.stop();
  EXPECT_EQ(numbers(node).size(), 20'000U);
}

TEST_F(ProducerTest, WhoFlushesLongerIsNotForgottenWhenAnotherHasEnough) {
  std::uint16_t port = 0;
  {
    const UdpNode gone;
    port = gone.port();
  }
  set("bootstrap.servers", "127.0.0.1:" + std::to_string(port));
  set("linger.ms", "200000");
  auto producer = Producer::start(config_, &reports_);
  ASSERT_TRUE(producer.has_value());
  producer_ = std::move(*producer);
  produce(0, 1);
  bool flushed = false;
  std::thread longer([&] { flushed = producer_->flush(kLongMs); });
  EXPECT_FALSE(producer_->flush(100));
  produce(1, 1);
  const UdpNode node({}, port);
  longer.join();
  EXPECT_TRUE(flushed);
}

TEST_F(ProducerTest, FlushingIsOverWhenTheLastReportWasTaken) {
  struct Slow final : DeliveryListener {
    void on_delivery(const Delivery&) override {
      begun = true;
      EXPECT_FALSE(wait_until([] { return false; }, std::chrono::milliseconds(200)));
      ended = true;
    }
    std::atomic<bool> begun{false};
    std::atomic<bool> ended{false};
  };
  UdpNode node;
  set("bootstrap.servers", node.endpoint());
  Slow slow;
  auto producer = Producer::start(config_, &slow);
  ASSERT_TRUE(producer.has_value());
  ASSERT_EQ((*producer)->produce({.subject = "t.a"}, 0), Produced::kQueued);
  std::thread poller([&] {
    while (!slow.begun) (*producer)->poll(10);
  });
  while (!slow.begun) std::this_thread::yield();
  EXPECT_TRUE((*producer)->flush(kLongMs));
  EXPECT_TRUE(slow.ended);
  poller.join();
}

TEST_F(ProducerTest, WhatIsTakenWhileItClosesIsReportedToo) {
  set("bootstrap.servers", "127.0.0.1:1");
  set("queue.buffering.max.kbytes", "4096");
  for (int round = 0; round < 10; ++round) {
    struct Count final : DeliveryListener {
      void on_delivery(const Delivery&) override { ++reported; }
      std::uint64_t reported = 0;
    } count;
    auto producer = Producer::start(config_, &count);
    ASSERT_TRUE(producer.has_value());
    std::atomic<std::uint64_t> taken{0};
    std::atomic<unsigned> at_work{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        ++at_work;
        Produced produced = Produced::kQueued;
        while (produced != Produced::kClosed) {
          produced = (*producer)->produce({.subject = "t.a"}, 0);
          if (produced == Produced::kQueued) ++taken;
          if (produced == Produced::kQueueFull) std::this_thread::yield();
        }
      });
    }
    while (at_work != 3 || taken == 0) std::this_thread::yield();
    (*producer)->close(0);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(count.reported, taken);
    EXPECT_EQ((*producer)->statistics().messages_held, 0U);
  }
}

}  // namespace
}  // namespace penstock::client
