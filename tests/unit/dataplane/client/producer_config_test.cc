// What a producer is told, and where its messages wait.
#include "dataplane/client/producer_config.h"

#include <gtest/gtest.h>

#include "dataplane/client/message_queue.h"

namespace penstock::client {
namespace {

// ---- Settings ------------------------------------------------------------------------------

TEST(ProducerConfigTest, SettingsAreTakenByTheirNames) {
  ProducerConfig config;
  EXPECT_TRUE(config.set("bootstrap.servers", "a, b:99").has_value());
  EXPECT_EQ(config.endpoints, (std::vector<Endpoint>{
                                  {"a", 7373},
                                  {"b", 99  }
  }));
  EXPECT_TRUE(config.set("linger.ms", "0.5").has_value());
  EXPECT_EQ(config.linger_ns, 500'000);
  EXPECT_TRUE(config.set("acks", "written").has_value());
  EXPECT_EQ(config.level, pdp::Level::kWritten);
  EXPECT_TRUE(config.set("batch.size", "1000000").has_value());
  EXPECT_EQ(config.frame_bytes_max, pdp::kFrameBytesMax);
  EXPECT_TRUE(config.set("session.sockets", "auto").has_value());
  EXPECT_EQ(config.sockets, 0U);
  EXPECT_TRUE(config.check().has_value());
}

TEST(ProducerConfigTest, MessagesThatWouldFailWhileTheyLingerAreRefused) {
  ProducerConfig config;
  ASSERT_TRUE(config.set("bootstrap.servers", "a").has_value());
  ASSERT_TRUE(config.set("linger.ms", "300").has_value());
  ASSERT_TRUE(config.set("message.timeout.ms", "300").has_value());
  const auto checked = config.check();
  ASSERT_FALSE(checked.has_value());
  EXPECT_NE(checked.error().what.find("linger.ms = 300 "), std::string::npos)
      << checked.error().what;
  ASSERT_TRUE(config.set("message.timeout.ms", "0").has_value());
  EXPECT_TRUE(config.check().has_value());
}

TEST(ProducerConfigTest, AnUnknownNameIsAnsweredWithTheNearest) {
  ProducerConfig config;
  const auto done = config.set("linger.msec", "1");
  ASSERT_FALSE(done.has_value());
  EXPECT_NE(done.error().what.find("linger.ms"), std::string::npos) << done.error().what;
}

TEST(ProducerConfigTest, AWrongValueIsNamedWithWhatWouldBeRight) {
  ProducerConfig config;
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"linger.ms",         "-1"},
           {"acks",              "2" },
           {"session.sockets",   "0" },
           {"batch.size",        "x" },
           {"bootstrap.servers", ""  },
           {"key.name",          ""  }
  }) {
    const auto done = config.set(name, value);
    ASSERT_FALSE(done.has_value()) << name;
    EXPECT_NE(done.error().what.find(name), std::string::npos) << done.error().what;
  }
  EXPECT_FALSE(config.check().has_value());
}

// ---- The queue -----------------------------------------------------------------------------

TEST(MessageQueueTest, MessagesComeOutAsTheyWentInAlsoAroundTheEnd) {
  MessageQueue queue(1000, 1024);
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  QueuedMessage queued;
  while (out < 2000) {
    // One, two or three at a time, of which those that have room are taken.
    std::array<std::vector<std::byte>, 3> payloads;
    std::array<OfferedMessage, 3> offered;
    for (std::size_t i = 0; i < offered.size(); ++i) {
      payloads[i].assign((in + i) % 200, static_cast<std::byte>(in + i));
      offered[i] = {
          .message = {.subject = "s", .payload = payloads[i]},
            .opaque = in + i
      };
    }
    const std::size_t pushed = queue.push(std::span(offered).first(1 + out % 3), MonotonicNanos(1));
    in += pushed;
    if (pushed != 0) continue;
    ASSERT_TRUE(queue.front(queued));
    ASSERT_EQ(queued.opaque, out);
    ASSERT_EQ(queued.message.payload.size(), out % 200);
    for (const std::byte b : queued.message.payload) ASSERT_EQ(b, static_cast<std::byte>(out));
    queue.pop();
    queue.done(1);
    ++out;
  }
  EXPECT_EQ(queue.messages(), in - out);
}

TEST(MessageQueueTest, OfSeveralMessagesThoseAreTakenThatTheCountLeavesRoomFor) {
  MessageQueue queue(5, 1024);
  std::array<OfferedMessage, 3> offered;
  for (std::size_t i = 0; i < offered.size(); ++i) offered[i].opaque = i;
  EXPECT_EQ(queue.push(offered, MonotonicNanos(1)), 3U);
  EXPECT_EQ(queue.push(offered, MonotonicNanos(1)), 2U);
  EXPECT_EQ(queue.push(offered, MonotonicNanos(1)), 0U);
  EXPECT_EQ(queue.messages(), 5U);
  QueuedMessage queued;
  for (const std::uint64_t opaque : {0U, 1U, 2U, 0U, 1U}) {
    ASSERT_TRUE(queue.front(queued));
    EXPECT_EQ(queued.opaque, opaque);
    queue.pop();
  }
  EXPECT_FALSE(queue.front(queued));
}

TEST(MessageQueueTest, AClosedQueueTakesNone) {
  MessageQueue queue(5, 1024);
  queue.close();
  EXPECT_EQ(queue.push(std::array<OfferedMessage, 3>{}, MonotonicNanos(1)), 0U);
}

}  // namespace
}  // namespace penstock::client
