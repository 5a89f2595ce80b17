#include "dataplane/client/producer_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace penstock::client {
namespace {

constexpr std::size_t kQueueMessages = 100'000;

// A loop that nobody runs, and no node: turn by turn.
class ProducerLoopTest : public testing::Test {
 protected:
  ProducerLoopTest() : messages_(kQueueMessages, 64 * kMiB), wake_(eventfd(0, EFD_NONBLOCK)) {
    EXPECT_TRUE(config_.set("bootstrap.servers", "127.0.0.1:9").has_value());
    loop_.emplace(config_, pdp::ProducerKey{}, messages_, nullptr, wake_);
  }
  ~ProducerLoopTest() override { close(wake_); }

  // As an application's thread does.
  bool push() {
    const OfferedMessage message{
        .message = {.subject = "t.a", .payload = std::as_bytes(std::span("message"))}
    };
    const bool pushed = messages_.push({&message, 1}, now_) == 1;
    if (pushed) loop_->wake_if_asleep();
    return pushed;
  }
  [[nodiscard]] bool was_woken() const {
    std::uint64_t wakes = 0;
    return read(wake_, &wakes, sizeof wakes) > 0;
  }

  ProducerConfig config_;
  MessageQueue messages_;
  int wake_;
  std::optional<ProducerLoop> loop_;
  MonotonicNanos now_{kNanosPerSecond};
};

TEST_F(ProducerLoopTest, AMessageWakesItWhenItRests) {
  loop_->turn(now_);
  EXPECT_GT(loop_->rest_until(now_), now_);
  EXPECT_TRUE(push());
  EXPECT_TRUE(was_woken());
}

// Nothing would wake it for this one if it rested: it was awake when the message came.
TEST_F(ProducerLoopTest, AMessageThatComesBetweenItsTurnAndItsRestKeepsItFromResting) {
  loop_->turn(now_);
  EXPECT_TRUE(push());
  EXPECT_FALSE(was_woken());
  EXPECT_EQ(loop_->rest_until(now_), now_);
  loop_->turn(now_);
  EXPECT_TRUE(messages_.empty());
}

TEST_F(ProducerLoopTest, MessagesThatFindNoRoomDoNotWakeIt) {
  std::size_t pushed = 0;
  do {
    pushed = 0;
    while (pushed < 1000 && push()) ++pushed;
    loop_->turn(now_);
  } while (pushed > 0 && messages_.empty());
  ASSERT_GT(pushed, 0U) << "the sessions are full before the queue is";
  static_cast<void>(was_woken());
  EXPECT_GT(loop_->rest_until(now_), now_);
  EXPECT_TRUE(push());
  EXPECT_FALSE(was_woken());
}

}  // namespace
}  // namespace penstock::client
