#include "tests/unit/dataplane/door/pdp/node/node_fixture.h"

namespace penstock::pdp {
namespace {

using PdpNodeSession = PdpNodeTest;

constexpr Nonce kNonce{std::byte{7}};

OpenBody open_body(const CookieBody& cookie, Level level = Level::kReceived) {
  return {.nonce = cookie.nonce,
          .issued_ns = cookie.issued_ns,
          .cookie = cookie.cookie,
          .level = level,
          .frame_bytes_max = 1400};
}

TEST_F(PdpNodeSession, ACookieHoldsForItsAddressItsNonceAndTenSeconds) {
  CookieBody cookie = hello(kNonce);
  open(open_body(cookie), {.port = 40'001});
  open(open_body(cookie), {.host = 10});
  CookieBody other = cookie;
  other.nonce[3] = std::byte{1};
  open(open_body(other));
  EXPECT_EQ(count(FrameFate::kBadCookie), 3U);
  clock_.advance(11 * kNanosPerSecond);
  open(open_body(cookie));
  EXPECT_EQ(count(FrameFate::kOpenStale), 1U);
  EXPECT_TRUE(outbox_.sent.empty()) << "none of them is answered";
  turn();  // which counts them
  EXPECT_EQ(frames_.sessions, 0U);
}

TEST_F(PdpNodeSession, ACookieThatTheNodeNeverMadeIsWrongWhateverItsTime) {
  clock_.advance(11 * kNanosPerSecond);
  CookieBody cookie = hello(kNonce);
  for (const std::uint64_t issued :
       {std::uint64_t{0}, std::uint64_t{1} << 63U, ~std::uint64_t{0}, cookie.issued_ns + 1}) {
    cookie.issued_ns = issued;
    open(open_body(cookie));
  }
  EXPECT_EQ(count(FrameFate::kBadCookie), 4U);
  EXPECT_EQ(count(FrameFate::kOpenStale), 0U);
}

TEST_F(PdpNodeSession, AnOpenThatComesAgainGetsTheSameConnection) {
  const CookieBody cookie = hello(kNonce);
  open(open_body(cookie));
  const auto first = load<FrameHeader>(outbox_.sent.back().bytes).connection;
  open(open_body(cookie));
  EXPECT_EQ(load<FrameHeader>(outbox_.sent.back().bytes).connection, first);
  EXPECT_EQ(count(FrameFate::kOpenAccepted), 2U);
}

TEST_F(PdpNodeSession, ASecondOpeningEndsTheFirstAndGoesOnWhereItWas) {
  open_at(Level::kReceived);
  const std::uint64_t before = connection_;
  data(0, 3);
  clock_.advance(1'000);
  const AcceptBody accept = open_at(Level::kReceived);
  EXPECT_NE(connection_, before);
  EXPECT_EQ(accept.next, 3U);
  connection_ = before;
  data(3, 1);
  EXPECT_EQ(last<ResetBody>(FrameType::kReset).boot, kBoot);
  EXPECT_EQ(count(FrameFate::kUnknownConnection), 1U);
}

TEST_F(PdpNodeSession, AnOlderOpenIsNotTakenAgain) {
  const CookieBody old = hello(kNonce);
  open(open_body(old));
  clock_.advance(1'000);
  open_at(Level::kReceived);
  open(open_body(old));
  EXPECT_EQ(count(FrameFate::kOpenStale), 1U);
}

TEST_F(PdpNodeSession, MessagesThatTheProducerNoLongerHasAreCountedAsLost) {
  open_at(Level::kReceived);
  data(0, 3);
  const AcceptBody accept = open_at(Level::kReceived, 10);
  EXPECT_EQ(accept.next, 10U);
  EXPECT_EQ(accept.lost, 7U);
}

TEST_F(PdpNodeSession, ASessionOutlivesTheNodeAndIsFoundWhereItWasDurable) {
  open_at(Level::kDurable);
  data(0, 3);
  settle();
  const std::uint64_t number = session_number("", std::as_bytes(std::span("one", 3)));
  restart(default_options(), {.producers = {{SessionNumber(number), 3, UnixNanos(1)}}});
  data(3, 1);
  EXPECT_EQ(last<ResetBody>(FrameType::kReset).boot, kBoot);
  const AcceptBody accept = open_at(Level::kDurable);
  EXPECT_EQ(accept.session, number);
  EXPECT_EQ(accept.next, 3U);
  EXPECT_EQ(accept.durable, 3U);
}

TEST_F(PdpNodeSession, AnswersGoToANewAddressOnlyWhenItIsProved) {
  constexpr Address kNew{.host = 20, .port = 50'000};
  open_at(Level::kReceived);
  data(0, 1);
  data(1, 1, "app.log", kNew);
  const auto challenge = last<ChallengeBody>(FrameType::kChallenge);
  EXPECT_EQ(last_to_.port, kNew.port);
  EXPECT_EQ(ack().received, 2U);
  EXPECT_NE(last_to_.port, kNew.port);
  deliver(FrameType::kResponse, ChallengeBody{challenge.token + 1}, {}, kNew);
  data(2, 1, "app.log", kNew);
  EXPECT_EQ(ack().received, 3U);
  EXPECT_NE(last_to_.port, kNew.port);
  deliver(FrameType::kResponse, challenge, {}, kNew);
  EXPECT_EQ(ack().received, 3U);
  EXPECT_EQ(last_to_.port, kNew.port);
}

TEST_F(PdpNodeSession, CloseIsAnsweredWhenAllReachedTheLevelAndAnsweredAgain) {
  open_at(Level::kDurable);
  data(0, 2);
  ring_.hold = true;
  deliver(FrameType::kClose, CloseBody{.next = 2});
  EXPECT_LT(ack().durable, 2U);
  ring_.hold = false;
  settle();
  EXPECT_EQ(last<ClosedBody>(FrameType::kClosed).durable, 2U);
  deliver(FrameType::kClose, CloseBody{.next = 2});
  turn();
  EXPECT_EQ(last<ClosedBody>(FrameType::kClosed).durable, 2U);
  clock_.advance(11 * kNanosPerSecond);
  sweep();
  EXPECT_EQ(frames_.sessions, 0U);
}

TEST_F(PdpNodeSession, FireAndForgetClosesWithTheGapAtItsEndCounted) {
  open_at(Level::kNone);
  data(0, 2);
  deliver(FrameType::kClose, CloseBody{.next = 6});
  turn();
  EXPECT_EQ(last<ClosedBody>(FrameType::kClosed).lost, 4U);
}

TEST_F(PdpNodeSession, ASilentOneIsForgottenAndItsPlaceUsedAgain) {
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 8; ++i) {
      const CookieBody cookie = hello(kNonce);
      open(open_body(cookie), {}, fmt::format("{}.{}", round, i));
    }
    EXPECT_EQ(last<AcceptBody>(FrameType::kAccept).boot, kBoot);
    const CookieBody cookie = hello(kNonce);
    open(open_body(cookie), {}, "one too many");
    EXPECT_EQ(last<RefuseBody>(FrameType::kRefuse).reason, RefuseReason::kFull);
    clock_.advance(61 * kNanosPerSecond);
    sweep();
    EXPECT_EQ(frames_.sessions, 0U);
  }
}

TEST_F(PdpNodeSession, WhoIsRefusedTakesNoRememberedSessionsPlace) {
  for (int i = 0; i < 8; ++i) open(open_body(hello(kNonce)), {}, fmt::format("{}", i));
  for (int i = 0; i < 50; ++i) open(open_body(hello(kNonce)), {}, fmt::format("stranger {}", i));
  EXPECT_EQ(count(FrameFate::kOpenRefused), 50U);
  EXPECT_EQ(log_->producers().size(), 8U);
  EXPECT_EQ(log_->producers().forgotten(), 0U);
}

TEST_F(PdpNodeSession, ClosingAgainAndAgainMakesNoMoreBlocksThanTheDriveHasTimeFor) {
  open_at(Level::kDurable);
  ring_.hold = true;
  for (std::uint64_t i = 0; i < 20; ++i) {
    data(i, 1);
    deliver(FrameType::kClose, CloseBody{.next = i + 1});
    turn();
  }
  EXPECT_LE(log_->counters().blocks_sealed, 2U);
  ring_.hold = false;
  settle();
  EXPECT_EQ(last<ClosedBody>(FrameType::kClosed).durable, 20U);
}

TEST_F(PdpNodeSession, NoAnswerIsLongerThanItsQuestionBeforeTheAddressIsProved) {
  std::vector<std::byte> frame(kHelloBytesMin);
  encode_frame(frame, FrameType::kHello, 0, HelloBody{.nonce = kNonce, .sent_us = 3});
  deliver(frame);
  EXPECT_LE(outbox_.sent.back().bytes.size(), frame.size());
  outbox_.sent.clear();
  connection_ = 0x1234'5678'9ABC;
  for (const auto& question :
       {frame_of(FrameType::kData, DataBody{0, 1, 0}, messages(0, 1)),
        frame_of(FrameType::kClose, CloseBody{}), frame_of(FrameType::kResponse, ChallengeBody{}),
        frame_of(FrameType::kPing, PingBody{}, std::array<std::byte, 8>{})}) {
    deliver(question);
    for (const auto& sent : outbox_.sent) EXPECT_LE(sent.bytes.size(), question.size());
    outbox_.sent.clear();
  }
}

TEST_F(PdpNodeSession, HellosBeyondTheLimitAreNotAnsweredAndKeepNothing) {
  std::vector<std::byte> frame(kHelloBytesMin);
  encode_frame(frame, FrameType::kHello, 0, HelloBody{.nonce = kNonce, .sent_us = 3});
  for (std::uint16_t port = 1; port < 10'000; ++port) deliver(frame, {.port = port});
  EXPECT_LT(outbox_.sent.size(), 2'000U);
  EXPECT_EQ(count(FrameFate::kNoAnswer) + count(FrameFate::kHelloAnswered), 9'999U);
  turn();
  EXPECT_EQ(frames_.sessions, 0U);
}

TEST_F(PdpNodeSession, ASubjectCanBeAskedFor) {
  open_at(Level::kReceived);
  const auto ask = [&](std::string_view subject) {
    deliver(FrameType::kSubject,
            SubjectBody{.request = 4, .subject_bytes = static_cast<std::uint16_t>(subject.size())},
            std::as_bytes(std::span(subject)));
    return last<CaptureBody>(FrameType::kCapture);
  };
  EXPECT_EQ(ask("app.x").reason, RejectReason::kNone);
  EXPECT_EQ(ask("app.x").streams, 1U);
  EXPECT_EQ(ask("other").reason, RejectReason::kNoStream);
  EXPECT_EQ(ask("a.*").reason, RejectReason::kBadSubject);
  // Of the streams that there are now, whatever was asked before.
  const Routing later = test::make_routing({
      {"other", {"other"}}
  });
  router_->adopt(later);
  EXPECT_EQ(ask("app.x").reason, RejectReason::kNoStream);
  EXPECT_EQ(ask("other").reason, RejectReason::kNone);
}

TEST_F(PdpNodeSession, WhoIsOpenIsToldThatTheNodeEnds) {
  NodeOptions options = default_options();
  options.successor = "10.0.0.2:7373";
  restart(std::move(options));
  open_at(Level::kReceived);
  node_->go_away(250);
  const auto told = last<GoAwayBody>(FrameType::kGoAway);
  EXPECT_EQ(told.reason, GoAwayReason::kRedirect);
  EXPECT_EQ(told.endpoint_bytes, 13U);
  EXPECT_EQ(told.deadline_ms, 250U);
  const CookieBody cookie = hello(kNonce);
  open(open_body(cookie), {}, "late");
  EXPECT_EQ(last<RefuseBody>(FrameType::kRefuse).reason, RefuseReason::kEnding);
}

TEST_F(PdpNodeSession, AnswersThatFindNoBufferComeLater) {
  open_at(Level::kReceived);
  outbox_.full = true;
  data(0, 1);
  turn();
  outbox_.full = false;
  EXPECT_EQ(ack().received, 1U);
}

}  // namespace
}  // namespace penstock::pdp
