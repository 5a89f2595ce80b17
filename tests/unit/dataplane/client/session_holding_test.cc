// What a session holds: for how long, whose bytes, and that each message is reported in the end.
#include <gtest/gtest.h>

#include "tests/unit/dataplane/client/session_fixture.h"

namespace penstock::client {
namespace {

using test::FakeNodeOptions;
using test::usual;

class SessionHoldingTest : public test::SessionFixture {
 protected:
  using Out = std::array<SessionCore::Datagram, 64>;
  // All that is to be said now but for what carries no messages, as it is.
  std::vector<SessionCore::Datagram> data_of(std::span<const SessionCore::Datagram> out) {
    std::vector<SessionCore::Datagram> data;
    for (const auto datagram : out) {
      const auto frame = pdp::decode_frame(datagram, pdp::Sender::kProducer);
      if (frame->header.type == pdp::FrameType::kData) data.push_back(datagram);
    }
    return data;
  }
  std::size_t poll() { return world_->core->poll(out_, world_->now); }
  Out out_{};
};

// ---- Bytes ---------------------------------------------------------------------------------

TEST_F(SessionHoldingTest, WhatWasGivenOutStaysAsItIsUntilTheNextPoll) {
  enum class Ending : std::uint8_t { kPurged, kRejected, kAcknowledged };
  for (const Ending ending : {Ending::kPurged, Ending::kRejected, Ending::kAcknowledged}) {
    open();
    append(3);
    world_->core->flush();
    const auto data = data_of(std::span(out_).first(poll()));
    ASSERT_EQ(data.size(), 1U);
    const test::Bytes was(data[0].begin(), data[0].end());
    // The system did not take it yet when the messages are done with.
    switch (ending) {
      case Ending::kPurged: world_->core->purge(true); break;
      case Ending::kRejected:
        hear(pdp::FrameType::kReject, pdp::RejectBody{.sequence = 0,
                                                      .message_count = 3,
                                                      .reason = pdp::RejectReason::kNoStream,
                                                      .reserved = 0});
        break;
      case Ending::kAcknowledged:
        hear(pdp::FrameType::kAck,
             pdp::AckBody{.received = 3, .written = 3, .durable = 3, .limit = 4096});
        break;
    }
    ASSERT_EQ(world_->core->held_messages(), 0U);
    append(5, "x.y");
    EXPECT_EQ(test::Bytes(data[0].begin(), data[0].end()), was);
  }
}

TEST_F(SessionHoldingTest, WhatIsDoneWithMakesRoomAtOnceWhenNothingIsOnItsWayOut) {
  SessionOptions options = usual();
  options.frames = 1;
  open(options);
  for (std::uint64_t i = 1; i < 5; ++i) {
    append(1);
    world_->core->flush();
    EXPECT_FALSE(world_->append("a.b"));
    while (poll() != 0) {
    }
    hear(pdp::FrameType::kAck,
         pdp::AckBody{
             .received = i, .written = i, .durable = i, .limit = 4096, .credit_bytes = 100'000});
    ASSERT_EQ(world_->core->held_messages(), 0U);
  }
}

// ---- Time ----------------------------------------------------------------------------------

TEST_F(SessionHoldingTest, NoMessageExpiresBeforeItsTimeNorMuchLater) {
  constexpr std::int64_t kTimeoutNs = 10 * kNanosPerSecond;
  constexpr std::int64_t kStepNs = 20 * kNanosPerMilli;
  SessionOptions options = usual();
  options.message_timeout_ns = kTimeoutNs;
  FakeNodeOptions node;
  node.credit_bytes = 0;
  open(options, node);
  std::vector<MonotonicNanos> appended;
  std::size_t seen = 0;
  while (seen < 1000) {
    if (appended.size() < 1000) {
      appended.push_back(world_->now);
      append(1);
    }
    world_->run_for(kStepNs);
    for (; world_->reports.contains(seen); ++seen) {
      EXPECT_EQ(world_->reports.at(seen).outcome, Outcome::kExpired);
      const std::int64_t age_ns = world_->now - appended[seen];
      ASSERT_GE(age_ns, kTimeoutNs) << seen;
      ASSERT_LE(age_ns, kTimeoutNs + kTimeoutNs / 64 + 2 * kStepNs) << seen;
    }
  }
}

TEST_F(SessionHoldingTest, AMessageThatWaitedElsewhereExpiresByItsOwnTime) {
  SessionOptions options = usual();
  options.message_timeout_ns = 10 * kNanosPerSecond;
  FakeNodeOptions node;
  node.credit_bytes = 0;
  open(options, node);
  world_->run_for(15 * kNanosPerSecond);  // kept alive at 10
  const MonotonicNanos queued = world_->now + -8 * kNanosPerSecond;
  ASSERT_EQ(world_->core->append({.subject = "a.b"}, 0, queued), Appended::kDone);
  world_->subjects.emplace_back("a.b");
  world_->run_for(2 * kNanosPerSecond - kNanosPerMilli);
  EXPECT_EQ(outcomes(Outcome::kExpired), 0U);
  world_->run_for(10 * kNanosPerMilli);
  EXPECT_EQ(outcomes(Outcome::kExpired), 1U);
}

// ---- Few frames ----------------------------------------------------------------------------

TEST_F(SessionHoldingTest, ASessionOfOneFrameSendsItInPiecesWhereThePathTakesNoMore) {
  SessionOptions options = usual();
  options.frames = 1;
  options.path = {.frame_bytes_first = 8972, .frame_bytes_max = 8972};
  FakeNodeOptions node;
  node.frame_bytes_max = 1232;
  make(options, node);
  append(90);
  world_->core->open(world_->now, Path::kAnother);
  ASSERT_TRUE(world_->run_until_reported());
  append(10);  // it goes on
  ASSERT_TRUE(world_->run_until_reported());
  EXPECT_EQ(outcomes(Outcome::kAcknowledged), 100U);
  const auto stored = world_->stored_numbers();
  ASSERT_EQ(stored.size(), 100U);
  for (std::size_t i = 0; i < stored.size(); ++i) EXPECT_EQ(stored[i], i);
}

// ---- The end -------------------------------------------------------------------------------

TEST_F(SessionHoldingTest, AbandoningReportsAlsoWhatHadNoPlaceInTheOrder) {
  open();
  world_->makes_durable = false;
  std::uint64_t number = 0;
  // What was given up stays in the order until it is durable.
  while (number < kPiecesReserved * 4) {
    if (!world_->append("a.b")) break;
    ++number;
    world_->core->flush();
    if (world_->core->held_messages() == 0) break;
    world_->run_until([&] { return world_->session().received == number; }, 100 * kNanosPerMilli);
    if (world_->session().received != number) break;
    world_->core->purge(true);
  }
  ASSERT_GE(number, kPiecesReserved);
  append(1, "x.y");
  append(1, "x.z");
  world_->core->abandon();
  EXPECT_EQ(world_->core->state(), SessionState::kClosed);
  EXPECT_EQ(world_->core->held_messages(), 0U);
  EXPECT_EQ(world_->reports.size(), world_->subjects.size());
}

}  // namespace
}  // namespace penstock::client
