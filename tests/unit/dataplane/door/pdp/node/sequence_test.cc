#include "tests/unit/dataplane/door/pdp/node/node_fixture.h"

namespace penstock::pdp {
namespace {

using PdpNodeSequence = PdpNodeTest;

TEST_F(PdpNodeSequence, WhatCameInOrderIsReceivedThenWrittenThenDurable) {
  const AcceptBody accept = open_at(Level::kDurable);
  EXPECT_EQ(accept.next, 0U);
  EXPECT_EQ(accept.boot, kBoot);
  EXPECT_GT(accept.limit, 0U);
  data(0, 3);
  data(3, 2);
  ring_.hold_flushes = true;
  AckBody told = ack();
  EXPECT_EQ(told.received, 5U);
  EXPECT_EQ(told.written, 0U);
  EXPECT_EQ(told.echoed_us, 5U);
  log_->seal();
  turn();
  turn();
  told = ack();
  EXPECT_EQ(told.written, 5U);
  EXPECT_EQ(told.durable, 0U);
  ring_.hold_flushes = false;
  turn();
  told = ack();
  EXPECT_EQ(told.durable, 5U);
  EXPECT_EQ(stream_[MessageFate::kStored], (Tally{5, 5 * 32}));
}

TEST_F(PdpNodeSequence, WithSynchronousWritesWhatIsWrittenIsDurableAndToldOnce) {
  durability_ = Durability::kSync;
  for (const Level level : {Level::kWritten, Level::kDurable}) {
    restart();
    open_at(level);
    data(0, 3);
    ring_.hold = true;
    log_->seal();
    AckBody told = ack();
    EXPECT_EQ(told.received, 3U);
    EXPECT_EQ(told.written, 0U);
    ring_.hold = false;
    turn();
    told = ack();
    EXPECT_EQ(told.written, 3U);
    EXPECT_EQ(told.durable, 3U);
    settle();
    EXPECT_TRUE(outbox_.sent.empty());
  }
}

TEST_F(PdpNodeSequence, WithFlushesWhoWaitsForWrittenIsNotToldThatItIsDurable) {
  open_at(Level::kWritten);
  data(0, 3);
  ring_.hold_flushes = true;
  log_->seal();
  turn();
  turn();
  EXPECT_EQ(ack().written, 3U);
  ring_.hold_flushes = false;
  settle();
  EXPECT_TRUE(outbox_.sent.empty());
}

TEST_F(PdpNodeSequence, ADuplicateIsAcknowledgedAndNotStoredAgain) {
  open_at(Level::kReceived);
  data(0, 4);
  data(0, 4);
  EXPECT_EQ(ack().received, 4U);
  EXPECT_EQ(count(FrameFate::kDuplicate), 1U);
  settle();
  EXPECT_EQ(stream_[MessageFate::kStored].count, 4U);
}

TEST_F(PdpNodeSequence, WhatComesBeforeItsTurnIsKeptAndToldAsRanges) {
  open_at(Level::kReceived);
  data(8, 2);
  data(4, 2);
  data(2, 2);
  data(8, 2);
  const AckBody told = ack();
  EXPECT_EQ(told.received, 0U);
  EXPECT_EQ(ranges_, (std::vector<AckRange>{
                         {2, 6 },
                         {8, 10}
  }));
  EXPECT_EQ(frames_.held.count, 3U);
  data(0, 2);
  data(6, 2);
  EXPECT_EQ(ack().received, 10U);
  EXPECT_TRUE(ranges_.empty());
  EXPECT_EQ(frames_.held, Tally{});
  EXPECT_EQ(count(FrameFate::kTaken), 5U);
}

TEST_F(PdpNodeSequence, AFrameThatOverlapsWhatWasReceivedIsRefused) {
  open_at(Level::kReceived);
  data(0, 4);
  data(2, 4);
  EXPECT_EQ(ack().received, 4U);
  EXPECT_EQ(count(FrameFate::kOverlap), 1U);
}

TEST_F(PdpNodeSequence, SkippedSequencesAreCountedAsLostInTheirTurn) {
  open_at(Level::kReceived);
  deliver(FrameType::kSkip, DataBody{2, 3, 5});
  EXPECT_EQ(ack().received, 0U);
  data(0, 2);
  const AckBody told = ack();
  EXPECT_EQ(told.received, 5U);
  EXPECT_EQ(told.lost, 3U);
  EXPECT_EQ(frames_.lost.count, 3U);
}

TEST_F(PdpNodeSequence, WhatIsBeyondTheCreditIsDropped) {
  const AcceptBody accept = open_at(Level::kReceived);
  data(accept.limit - 1, 2);
  data(kProducerSequenceEnd - 2, 2);
  EXPECT_EQ(ack().received, 0U);
  EXPECT_EQ(count(FrameFate::kOverCredit), 2U);
  EXPECT_TRUE(ranges_.empty());
}

TEST_F(PdpNodeSequence, AFullLogPushesBackAndGoesOnWithoutLoss) {
  open_at(Level::kDurable);
  ring_.hold = true;
  std::uint64_t sent = 0;
  for (; count(FrameFate::kPushedBack) == 0 && frames_.held.count < 4; ++sent) {
    deliver(FrameType::kData, DataBody{sent, 1, 5}, messages(sent, 1, "app.log", 1200));
  }
  AckBody told = ack();
  EXPECT_LT(told.received, sent);
  EXPECT_EQ(told.credit_bytes, 0U);
  EXPECT_EQ(told.state, CreditState::kDriveSlow);
  ring_.hold = false;
  settle();
  settle();
  told = last<AckBody>(FrameType::kAck);
  EXPECT_EQ(told.durable, sent);
  EXPECT_EQ(told.state, CreditState::kFlows);
  EXPECT_GT(told.credit_bytes, 0U);
  EXPECT_EQ(stream_[MessageFate::kStored].count, sent);
  EXPECT_EQ(shard_[MessageFate::kDriveSlow].count, 0U);
}

TEST_F(PdpNodeSequence, WhatNoStreamCapturesIsRejectedAndTheProducerTold) {
  open_at(Level::kReceived);
  data(0, 2, "other.log");
  const auto told = last<RejectBody>(FrameType::kReject);
  EXPECT_EQ(told.sequence, 0U);
  EXPECT_EQ(told.message_count, 2U);
  EXPECT_EQ(told.reason, RejectReason::kNoStream);
  data(0, 1, "app..log");
  EXPECT_EQ(last<RejectBody>(FrameType::kReject).reason, RejectReason::kBadSubject);
  deliver(FrameType::kSkip, DataBody{0, 2, 5});
  data(2, 1);
  EXPECT_EQ(ack().received, 3U);
}

TEST_F(PdpNodeSequence, MessagesThatLieAboutTheirLengthsAreNotTaken) {
  open_at(Level::kReceived);
  auto area = messages(0, 2);
  area[0] = std::byte{200};
  deliver(FrameType::kData, DataBody{0, 2, 5}, area);
  deliver(FrameType::kData, DataBody{0, 3, 5}, messages(0, 2));
  EXPECT_EQ(ack().received, 0U);
  EXPECT_EQ(count(FrameFate::kBadRun), 2U);
}

TEST_F(PdpNodeSequence, FireAndForgetTakesWhatIsNewAndCountsGapsExactly) {
  open_at(Level::kNone);
  data(0, 2);
  data(5, 2);   // 2, 3, 4 are missing
  data(10, 2);  // 7, 8, 9 too
  data(3, 1);   // late
  data(3, 1);   // again
  data(0, 2);   // old
  turn();
  EXPECT_TRUE(outbox_.sent.empty()) << "nothing is acknowledged unasked";
  deliver(FrameType::kPing, PingBody{.sent_us = 9}, std::array<std::byte, 8>{});
  const AckBody told = ack();
  EXPECT_EQ(told.received, 12U);
  EXPECT_EQ(told.lost, 5U);
  EXPECT_EQ(told.probe_bytes, 32U);
  EXPECT_EQ(told.echoed_us, 9U);
  EXPECT_EQ(count(FrameFate::kDuplicate), 2U);
  settle();
  EXPECT_EQ(stream_[MessageFate::kStored].count, 7U);
}

TEST_F(PdpNodeSequence, FireAndForgetTakesWhatComesLateBehindASkip) {
  open_at(Level::kNone);
  data(0, 2);
  deliver(FrameType::kSkip, DataBody{5, 3, 5});  // 2, 3, 4 are missing; 5, 6, 7 do not come
  data(10, 2);                                   // 8, 9 are missing too
  data(3, 1);
  data(8, 2);
  data(5, 3);  // was given up
  deliver(FrameType::kPing, PingBody{.sent_us = 9}, std::array<std::byte, 8>{});
  const AckBody told = ack();
  EXPECT_EQ(told.received, 12U);
  EXPECT_EQ(told.lost, 5U) << "2, 4 and what was skipped";
  EXPECT_EQ(count(FrameFate::kDuplicate), 1U);
  settle();
  EXPECT_EQ(stream_[MessageFate::kStored].count, 7U);
}

TEST_F(PdpNodeSequence, FireAndForgetTakesWhatComesLateBehindAClose) {
  open_at(Level::kNone);
  data(0, 2);
  deliver(FrameType::kClose, CloseBody{.next = 6});
  turn();
  EXPECT_EQ(last<ClosedBody>(FrameType::kClosed).lost, 4U);
  data(8, 1);  // 6, 7 are missing too: of one gap with those before
  data(3, 1);
  data(4, 3);
  deliver(FrameType::kClose, CloseBody{.next = 9});
  turn();
  EXPECT_EQ(last<ClosedBody>(FrameType::kClosed).lost, 2U) << "2 and 7";
  EXPECT_EQ(frames_.lost.count, 2U);
}

TEST_F(PdpNodeSequence, AStepThatIsTooLargeIsNoLoss) {
  constexpr std::uint64_t kStep = std::uint64_t{1} << 32U;
  open_at(Level::kNone);
  data(kStep + 1, 1);
  deliver(FrameType::kSkip, DataBody{kStep + 1, 1, 5});
  deliver(FrameType::kClose, CloseBody{.next = kStep + 1});
  EXPECT_EQ(count(FrameFate::kOverCredit), 3U);
  turn();
  EXPECT_TRUE(outbox_.sent.empty()) << "nothing is closed";
  deliver(FrameType::kClose, CloseBody{.next = kStep});
  turn();
  EXPECT_EQ(last<ClosedBody>(FrameType::kClosed).lost, kStep);
}

TEST_F(PdpNodeSequence, FireAndForgetIntoAFullLogIsDroppedUnderItsCause) {
  open_at(Level::kNone);
  ring_.hold = true;
  std::uint64_t sent = 0;
  for (; sent < 100; ++sent) {
    deliver(FrameType::kData, DataBody{sent, 1, 5}, messages(sent, 1, "app.log", 1200));
    turn();
  }
  EXPECT_GT(shard_[MessageFate::kDriveSlow].count, 0U);
  ring_.hold = false;
  settle();
  EXPECT_EQ(stream_[MessageFate::kStored].count + stream_[MessageFate::kDriveSlow].count, sent);
  deliver(FrameType::kPing, PingBody{.sent_us = 9}, std::array<std::byte, 8>{});
  EXPECT_EQ(ack().lost, 0U) << "it came; that it was dropped is in the ledger";
}

}  // namespace
}  // namespace penstock::pdp
