// What a session believes, and what it says so that others may believe it.
#include <gtest/gtest.h>

#include "tests/unit/dataplane/client/session_fixture.h"

namespace penstock::client {
namespace {

using test::FakeNodeOptions;
using test::usual;

class SessionTrustTest : public test::SessionFixture {};

TEST_F(SessionTrustTest, AnAckOfWhatWasNeverSentIsNotBelieved) {
  open();
  world_->makes_durable = false;
  append(10);
  hear(pdp::FrameType::kAck,
       pdp::AckBody{.received = 11, .written = 11, .durable = 11, .limit = 1000});
  EXPECT_EQ(drops(DatagramDrop::kImpossible), 1U);
  EXPECT_EQ(world_->core->held_messages(), 10U);
}

TEST_F(SessionTrustTest, FramesOfOtherConnectionsAreDroppedAndCounted) {
  open();
  const std::uint64_t connection = world_->session().connection;
  world_->session().connection = connection + 2;
  hear(pdp::FrameType::kAck, pdp::AckBody{.limit = 1'000'000});
  EXPECT_EQ(drops(DatagramDrop::kStrange), 1U);
  EXPECT_LT(world_->core->limit(), 1'000'000U);
  world_->core->receive(std::array<std::byte, 40>{}, world_->now);
  EXPECT_EQ(drops(DatagramDrop::kBadMagic), 1U);
}

TEST_F(SessionTrustTest, AChallengeIsAnsweredWithItsToken) {
  open();
  hear(pdp::FrameType::kChallenge, pdp::ChallengeBody{.token = 0x1234});
  std::array<SessionCore::Datagram, 16> out;
  const std::size_t count = world_->core->poll(out, world_->now);
  bool answered = false;
  for (std::size_t i = 0; i < count; ++i) {
    const auto frame = pdp::decode_frame(out[i], pdp::Sender::kProducer);
    if (frame->header.type != pdp::FrameType::kResponse) continue;
    EXPECT_EQ(pdp::body_of<pdp::ChallengeBody>(*frame).token, 0x1234U);
    answered = true;
  }
  EXPECT_TRUE(answered);
}

TEST_F(SessionTrustTest, ASessionWithAKeyBelievesOnlyFramesThatAreSealedAndNew) {
  SessionOptions options = usual();
  FakeNodeOptions node;
  options.key_name = node.key_name = "site";
  options.key.fill(std::byte{3});
  node.key = options.key;
  open(options, node);
  hear(pdp::FrameType::kAck, pdp::AckBody{.limit = 1'000'000});
  EXPECT_EQ(drops(DatagramDrop::kSealMissing), 1U);
  std::array<std::byte, 104> ack{};
  pdp::encode_frame(std::span(ack), pdp::FrameType::kAck, world_->session().connection,
                    pdp::AckBody{.limit = 1'000'000}, true);
  pdp::Sealer().seal(ack, pdp::SealKey{std::byte{1}}, 77);
  world_->core->receive(ack, world_->now);
  EXPECT_EQ(drops(DatagramDrop::kSealWrong), 1U);
  pdp::Sealer().seal(ack, world_->session().node_key, 78);
  world_->core->receive(ack, world_->now);
  EXPECT_EQ(world_->core->limit(), 1'000'000U);
  world_->core->receive(ack, world_->now);
  EXPECT_EQ(drops(DatagramDrop::kReplayed), 1U);
}

TEST_F(SessionTrustTest, ARepeatedOpenIsTheSameFrameToTheByte) {
  SessionOptions options = usual();
  FakeNodeOptions node;
  options.key_name = node.key_name = "site";
  make(options, node);
  append(5);
  world_->core->open(world_->now, Path::kAnother);
  std::vector<test::Bytes> opens;
  std::array<SessionCore::Datagram, 16> out;
  for (int i = 0; i < 4; ++i) {
    const std::size_t count = world_->core->poll(out, world_->now);
    for (std::size_t j = 0; j < count; ++j) {
      const auto frame = pdp::decode_frame(out[j], pdp::Sender::kProducer);
      if (frame->header.type == pdp::FrameType::kOpen) {
        opens.emplace_back(out[j].begin(), out[j].end());
      } else {
        world_->node.receive(out[j]);
        for (const auto& said : world_->node.said) world_->core->receive(said, world_->now);
        world_->node.said.clear();
      }
    }
    world_->now = std::max(world_->now, world_->core->next_deadline());
  }
  ASSERT_EQ(opens.size(), 3U);
  EXPECT_EQ(opens[0], opens[1]);
  EXPECT_EQ(opens[0], opens[2]);
}

// A RESET is anybody's word: what it brings about must not make the connection begin once more
// under the same keys, with packet numbers that were used.
TEST_F(SessionTrustTest, AnAcceptThatWasTakenIsNotTakenAgainBehindAReset) {
  SessionOptions options = usual();
  FakeNodeOptions node;
  options.key_name = node.key_name = "site";
  open(options, node);
  append(5);
  ASSERT_TRUE(world_->run_until_reported());
  const test::Bytes accept = world_->session().accept;
  hear(pdp::FrameType::kReset, pdp::ResetBody{.boot = 1, .reserved = 0});
  ASSERT_EQ(world_->core->statistics().resets, 1U);
  world_->core->receive(accept, world_->now);
  EXPECT_EQ(drops(DatagramDrop::kStrange), 1U);
  // Also when the next opening has begun.
  world_->now = std::max(world_->now, world_->core->handshake().deadline());
  std::array<SessionCore::Datagram, 16> out;
  ASSERT_GT(world_->core->poll(out, world_->now), 0U);
  world_->core->receive(accept, world_->now);
  EXPECT_EQ(drops(DatagramDrop::kStrange), 2U);
  EXPECT_EQ(world_->core->statistics().openings, 1U);
}

}  // namespace
}  // namespace penstock::client
