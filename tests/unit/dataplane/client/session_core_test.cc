#include "dataplane/client/session_core.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/client/session_fixture.h"

namespace penstock::client {
namespace {

using test::FakeNodeOptions;
using test::usual;

class SessionCoreTest : public test::SessionFixture {};

TEST_F(SessionCoreTest, MessagesAreStoredInOrderAndAcknowledgedOnce) {
  open();
  append(100);
  ASSERT_TRUE(world_->run_until_reported());
  EXPECT_EQ(outcomes(Outcome::kAcknowledged), 100U);
  const auto stored = world_->stored_numbers();
  ASSERT_EQ(stored.size(), 100U);
  for (std::size_t i = 0; i < stored.size(); ++i) EXPECT_EQ(stored[i], i);
}

TEST_F(SessionCoreTest, WhatWasAppendedBeforeTheSessionIsOpenIsSentThen) {
  make();
  append(50);
  world_->core->open(world_->now, Path::kAnother);
  ASSERT_TRUE(world_->run_until_reported());
  EXPECT_EQ(world_->stored_numbers().size(), 50U);
}

TEST_F(SessionCoreTest, APartlyFilledFrameWaitsForTheLingerTime) {
  open();
  append(1);
  world_->run_for(kNanosPerMilli - 1);
  EXPECT_EQ(world_->core->statistics().frames_sent, 0U);
  world_->run_for(2);
  EXPECT_EQ(world_->core->statistics().frames_sent, 1U);
}

TEST_F(SessionCoreTest, AStartedProducerGoesOnBehindWhatTheNodeHas) {
  open();
  append(20);
  ASSERT_TRUE(world_->run_until_reported());
  // The same name, from a process that knows nothing.
  world_->core = std::make_unique<SessionCore>(usual(), *world_, world_->rng);
  append(5);
  world_->core->open(world_->now, Path::kAnother);
  ASSERT_TRUE(world_->run_until_reported());
  EXPECT_EQ(world_->core->first_sequence(), 20U);
  EXPECT_EQ(world_->stored_numbers().size(), 25U);
  EXPECT_EQ(world_->session().received, 25U);
}

TEST_F(SessionCoreTest, ANodeThatHasMoreThanWasEverSentKnowsTheNameFromAnotherLife) {
  open();
  append(20);
  ASSERT_TRUE(world_->run_until_reported());
  append(7);
  world_->core->flush();
  // Another node, where a producer of this name wrote more than this one ever did.
  world_->node.forget_connections();
  world_->session().received = world_->session().written = world_->session().durable = 1000;
  world_->core->open(world_->now, Path::kAnother);
  ASSERT_TRUE(world_->run_until_reported());
  EXPECT_EQ(world_->stored_numbers().size(), 27U);
  EXPECT_EQ(world_->session().received, 1007U);
}

TEST_F(SessionCoreTest, ACrashedNodeIsSentAgainWhatWasNotDurable) {
  open();
  world_->makes_durable = false;
  append(40);
  ASSERT_TRUE(world_->run_until([&] { return world_->session().received == 40; }));
  world_->run_for(kNanosPerMilli);
  EXPECT_EQ(world_->core->held_messages(), 40U);
  world_->node.crash();
  ASSERT_TRUE(world_->stored_numbers().empty());
  world_->makes_durable = true;
  append(1);  // what is sent tells that the connection is gone
  ASSERT_TRUE(world_->run_until_reported());
  EXPECT_EQ(world_->core->statistics().resets, world_->node.resets);
  EXPECT_EQ(world_->core->statistics().openings, 2U);
  EXPECT_EQ(world_->stored_numbers().size(), 41U);
}

TEST_F(SessionCoreTest, WhatTheSameNodeReceivedIsNotSentAgainByANewConnection) {
  open();
  world_->makes_durable = false;
  append(40);
  ASSERT_TRUE(world_->run_until([&] { return world_->session().received == 40; }));
  world_->run_for(kNanosPerMilli);
  const std::uint64_t sent = world_->core->statistics().frames_sent;
  world_->node.forget_connections();
  world_->core->open(world_->now, Path::kSame);
  ASSERT_TRUE(world_->run_until([&] { return world_->core->statistics().openings == 2; }));
  world_->makes_durable = true;
  ASSERT_TRUE(world_->run_until_reported());
  EXPECT_EQ(world_->core->statistics().frames_sent, sent);
}

TEST_F(SessionCoreTest, ARefusedSubjectFailsAndLeavesTheOthersAlone) {
  open();
  append(3, "a.b");
  append(3, "reject.me");
  append(3, "a.c");
  ASSERT_TRUE(world_->run_until_reported());
  EXPECT_EQ(outcomes(Outcome::kRejected), 3U);
  EXPECT_EQ(outcomes(Outcome::kAcknowledged), 6U);
  EXPECT_EQ(world_->reports.at(3).reason, pdp::RejectReason::kNoStream);
  ASSERT_TRUE(world_->run_until([&] { return world_->session().received == 9; }));
  EXPECT_EQ(world_->session().lost, 3U);
}

TEST_F(SessionCoreTest, NothingIsSentBeyondTheLimitAndTheCredit) {
  FakeNodeOptions node;
  node.window_messages = 40;
  node.credit_bytes = 4000;
  open(usual(), node);
  for (int round = 0; round < 20; ++round) {
    append(30);
    ASSERT_TRUE(world_->run_until_reported());
  }
  EXPECT_EQ(world_->node.over_limit, 0U);
  EXPECT_EQ(world_->stored_numbers().size(), 600U);
}

TEST_F(SessionCoreTest, WithoutCreditItAsksByPingAndGoesOnWhenThereIsSome) {
  FakeNodeOptions node;
  node.credit_bytes = 0;
  open(usual(), node);
  append(10);
  world_->run_for(10 * kNanosPerSecond);
  EXPECT_EQ(world_->core->statistics().frames_sent, 0U);
  const std::uint64_t acks = world_->core->statistics().acks;
  EXPECT_GE(acks, 9U);
  EXPECT_LE(acks, 25U);
  world_->node.options.credit_bytes = 100'000;
  ASSERT_TRUE(world_->run_until_reported(2 * kNanosPerSecond));
}

TEST_F(SessionCoreTest, ASilentNodeIsSoughtByAnotherOpening) {
  open();
  append(10);
  world_->node_is_there = false;
  world_->run_for(20 * kNanosPerSecond);
  EXPECT_TRUE(world_->saw(SessionEvent::kSilent));
  EXPECT_EQ(world_->core->held_messages(), 10U);
  world_->node_is_there = true;
  ASSERT_TRUE(world_->run_until_reported(10 * kNanosPerSecond));
  EXPECT_EQ(world_->stored_numbers().size(), 10U);
}

TEST_F(SessionCoreTest, ANodeThatDiesBehindItsResetIsSilent) {
  open();
  append(10);
  hear(pdp::FrameType::kReset, pdp::ResetBody{.boot = 1, .reserved = 0});
  world_->node_is_there = false;
  world_->run_for(10 * kNanosPerSecond);
  EXPECT_TRUE(world_->core->handshake().is_on());
  EXPECT_TRUE(world_->saw(SessionEvent::kSilent));
}

TEST_F(SessionCoreTest, AnIdleConnectionIsKeptAlive) {
  FakeNodeOptions node;
  node.idle_ms = 3000;
  open(usual(), node);
  world_->run_for(60 * kNanosPerSecond);
  EXPECT_GE(world_->core->statistics().acks, 59U);
  EXPECT_LE(world_->core->statistics().acks, 70U);
  EXPECT_FALSE(world_->saw(SessionEvent::kSilent));
}

TEST_F(SessionCoreTest, MessagesThatWereNeverSentExpireWithoutASequence) {
  SessionOptions options = usual();
  options.message_timeout_ns = kNanosPerSecond;
  make(options);
  append(10);
  world_->node_is_there = false;
  world_->core->open(world_->now, Path::kAnother);
  ASSERT_TRUE(world_->run_until_reported(2 * kNanosPerSecond));
  EXPECT_EQ(outcomes(Outcome::kExpired), 10U);
  EXPECT_FALSE(world_->reports.at(0).may_be_stored);
  world_->node_is_there = true;
  append(5);
  ASSERT_TRUE(
      world_->run_until([&] { return world_->core->is_connected(); }, 10 * kNanosPerSecond));
  append(5);
  ASSERT_TRUE(world_->run_until_reported());
  EXPECT_EQ(world_->session().lost, 0U);
}

TEST_F(SessionCoreTest, MessagesThatWereSentExpireAsSkipped) {
  SessionOptions options = usual();
  options.message_timeout_ns = kNanosPerSecond;
  open(options);
  append(10);
  world_->network.lost_per_million = 1'000'000;
  ASSERT_TRUE(world_->run_until_reported(2 * kNanosPerSecond));
  EXPECT_EQ(outcomes(Outcome::kExpired), 10U);
  EXPECT_TRUE(world_->reports.at(0).may_be_stored);
  world_->network.lost_per_million = 0;
  append(5);
  ASSERT_TRUE(world_->run_until([&] { return outcomes(Outcome::kAcknowledged) == 5; }));
  EXPECT_EQ(world_->session().lost, 10U);
  EXPECT_EQ(world_->session().received, 15U);
}

TEST_F(SessionCoreTest, ClosingWaitsForAllThatIsHeld) {
  open();
  append(30);
  world_->core->close();
  EXPECT_EQ(world_->core->append({.subject = "a"}, 0, world_->now), Appended::kClosed);
  ASSERT_TRUE(world_->run_until([&] { return world_->saw(SessionEvent::kClosed); }));
  EXPECT_EQ(world_->session().durable, 30U);
  EXPECT_EQ(outcomes(Outcome::kAcknowledged), 30U);
  EXPECT_EQ(world_->core->next_deadline(), kNever);
}

TEST_F(SessionCoreTest, AbandoningReportsWhatIsHeldAsPurged) {
  open();
  append(30);
  world_->core->abandon();
  EXPECT_EQ(outcomes(Outcome::kPurged), 30U);
  EXPECT_EQ(world_->core->state(), SessionState::kClosed);
}

TEST_F(SessionCoreTest, PurgingTheUnsentLeavesTheSentAlone) {
  open();
  world_->makes_durable = false;
  append(20);
  ASSERT_TRUE(world_->run_until([&] { return world_->session().received == 20; }));
  append(7);
  world_->core->purge(false);
  EXPECT_EQ(outcomes(Outcome::kPurged), 7U);
  world_->makes_durable = true;
  ASSERT_TRUE(world_->run_until_reported());
  EXPECT_EQ(outcomes(Outcome::kAcknowledged), 20U);
}

TEST_F(SessionCoreTest, FireAndForgetSendsOnceAndLearnsWhatWasLost) {
  SessionOptions options = usual();
  options.level = pdp::Level::kNone;
  open(options);
  world_->network.lost_per_million = 300'000;
  for (int i = 0; i < 100; ++i) {
    append(40);
    world_->run_for(2 * kNanosPerMilli);
  }
  ASSERT_TRUE(world_->run_until_reported());
  EXPECT_EQ(outcomes(Outcome::kSent), 4000U);
  EXPECT_EQ(world_->core->statistics().frames_resent, 0U);
  world_->network.lost_per_million = 0;
  world_->core->close();
  ASSERT_TRUE(world_->run_until([&] { return world_->saw(SessionEvent::kClosed); }));
  const std::size_t stored = world_->stored_numbers().size();
  EXPECT_GT(stored, 1500U);
  EXPECT_LT(stored, 3900U);
  EXPECT_EQ(world_->session().lost, 4000 - stored);
}

TEST_F(SessionCoreTest, ARefusalIsTriedAgainOnlyIfTheNodeSaysSo) {
  make();
  world_->node.refuses = true;
  world_->node.refuse_ms = 500;
  world_->core->open(world_->now, Path::kAnother);
  world_->run_for(5 * kNanosPerSecond);
  EXPECT_GE(world_->events[SessionEvent::kRefused], 8);
  world_->node.refuse_ms = 0;
  world_->run_for(5 * kNanosPerSecond);
  EXPECT_EQ(world_->core->state(), SessionState::kRefused);
  const int refused = world_->events[SessionEvent::kRefused];
  world_->run_for(60 * kNanosPerSecond);
  EXPECT_EQ(world_->events[SessionEvent::kRefused], refused);
}

TEST_F(SessionCoreTest, ASubjectIsAskedFor) {
  open();
  world_->core->ask("reject.me", world_->now);
  ASSERT_TRUE(world_->run_until([&] { return world_->saw(SessionEvent::kCaptured); }));
  EXPECT_EQ(world_->core->capture().reason, pdp::RejectReason::kNoStream);
}

TEST_F(SessionCoreTest, AGoAwayIsToldWithItsEndpoint) {
  open();
  world_->node.say_go_away(pdp::GoAwayReason::kRedirect, "other:7373");
  append(1);
  ASSERT_TRUE(world_->run_until([&] { return world_->saw(SessionEvent::kGoAway); }));
  EXPECT_EQ(world_->core->go_away().endpoint, "other:7373");
  EXPECT_EQ(world_->core->go_away().reason, pdp::GoAwayReason::kRedirect);
}

TEST_F(SessionCoreTest, TheNameSuitsTheShardThatAnswers) {
  SessionOptions options = usual();
  options.suits_shard = true;
  for (std::uint16_t shard = 0; shard < 7; ++shard) {
    FakeNodeOptions node;
    node.shard = shard;
    node.shards = 7;
    open(options, node);
    EXPECT_EQ(world_->core->session() % 7, shard);
  }
}

}  // namespace
}  // namespace penstock::client
