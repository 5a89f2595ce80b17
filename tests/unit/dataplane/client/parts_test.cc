// The parts of a session's core, each alone.
#include <gtest/gtest.h>

#include "dataplane/client/batcher.h"
#include "dataplane/client/congestion.h"
#include "dataplane/client/frame_ring.h"
#include "dataplane/client/loss_detector.h"
#include "dataplane/client/path_mtu.h"
#include "dataplane/door/pdp/run_check.h"

namespace penstock::client {
namespace {

// ---- Round trips ---------------------------------------------------------------------------

TEST(RttEstimatorTest, TheFirstTimeoutIsTheMeasuredTimeAndTwiceAsMuch) {
  RttEstimator rtt;
  EXPECT_EQ(rtt.timeout_ns(), kTimeoutFirstNs);
  rtt.measured(100 * kNanosPerMilli);
  EXPECT_EQ(rtt.timeout_ns(), 300 * kNanosPerMilli);
}

TEST(RttEstimatorTest, TheTimeoutIsNeverShorterThanFiveMillisecondsNorLongerThanTwoSeconds) {
  RttEstimator rtt;
  rtt.measured(1000);
  EXPECT_EQ(rtt.timeout_ns(), kTimeoutMinNs);
  EXPECT_EQ(rtt.timeout_ns(3), 8 * kTimeoutMinNs);
  EXPECT_EQ(rtt.timeout_ns(60), kTimeoutMaxNs);
  for (int i = 0; i < 100; ++i) rtt.measured(30 * kNanosPerSecond);
  EXPECT_EQ(rtt.timeout_ns(), kTimeoutMaxNs);
}

TEST(RttEstimatorTest, SteadyTimesBringTheTimeoutNearThem) {
  RttEstimator rtt;
  rtt.measured(500 * kNanosPerMilli);
  for (int i = 0; i < 200; ++i) rtt.measured(20 * kNanosPerMilli);
  EXPECT_LT(rtt.timeout_ns(), 25 * kNanosPerMilli);
  EXPECT_EQ(rtt.min_ns(), 20 * kNanosPerMilli);
}

// ---- The window ----------------------------------------------------------------------------

TEST(CongestionTest, SlowStartDoublesTheWindowEachRoundTrip) {
  Congestion congestion(1000);
  congestion.arrived(10, true);
  EXPECT_EQ(congestion.window(), 20U);
  congestion.arrived(20, true);
  EXPECT_EQ(congestion.window(), 40U);
}

TEST(CongestionTest, AWindowThatIsNotUsedDoesNotGrow) {
  Congestion congestion(1000);
  congestion.arrived(100, false);
  EXPECT_EQ(congestion.window(), kWindowFramesFirst);
}

TEST(CongestionTest, ALossShrinksItOnceARoundTripAndThenItGrowsByOneFrame) {
  Congestion congestion(1000);
  congestion.arrived(90, true);
  ASSERT_EQ(congestion.window(), 100U);
  congestion.lost(50, 101);
  EXPECT_EQ(congestion.window(), 70U);
  congestion.lost(100, 120);  // sent before it shrank
  EXPECT_EQ(congestion.window(), 70U);
  congestion.arrived(70, true);
  EXPECT_EQ(congestion.window(), 71U);
  congestion.lost(120, 130);
  EXPECT_EQ(congestion.window(), 49U);
}

TEST(CongestionTest, TheWindowHasAtLeastFourFrames) {
  Congestion congestion(1000);
  for (std::uint64_t i = 1; i < 20; ++i) congestion.lost(i, i + 1);
  EXPECT_EQ(congestion.window(), kWindowFramesMin);
  congestion.timed_out(30);
  EXPECT_EQ(congestion.window(), kWindowFramesMin);
}

// ---- The path's MTU ------------------------------------------------------------------------

struct ProbedPath {  // a path of one MTU that answers PINGs
  PathMtu mtu{PathMtuOptions{}};
  RttEstimator rtt;
  MonotonicNanos now{kNanosPerSecond};
  std::size_t takes = 1472;
  std::size_t sent = 0;
  void run(std::int64_t time_ns) {
    const MonotonicNanos end = now + time_ns;
    while (mtu.deadline() < end) {
      now = std::max(now, mtu.deadline());
      const std::size_t bytes = mtu.poll(now, rtt);
      if (bytes == 0) continue;
      ++sent;
      if (bytes <= takes) mtu.answered(bytes, now);
    }
    now = end;
  }
};

TEST(PathMtuTest, ItBeginsWithWhatEveryPathTakesAndFindsTheLargestUsualLength) {
  ProbedPath path;
  EXPECT_EQ(path.mtu.frame_bytes(), 1252U);
  path.mtu.start(pdp::kFrameBytesMax, false, path.now);
  path.run(10 * kNanosPerSecond);
  EXPECT_EQ(path.mtu.frame_bytes(), 1472U);
  EXPECT_LE(path.sent, 5U);
  EXPECT_FALSE(path.mtu.is_searching());
}

TEST(PathMtuTest, ALongerPathIsFoundAfterTenMinutes) {
  ProbedPath path;
  path.mtu.start(pdp::kFrameBytesMax, false, path.now);
  path.run(10 * kNanosPerSecond);
  path.takes = 8972;
  path.run(300 * kNanosPerSecond);
  EXPECT_EQ(path.mtu.frame_bytes(), 1472U);
  path.run(400 * kNanosPerSecond);
  EXPECT_EQ(path.mtu.frame_bytes(), 8972U);
}

TEST(PathMtuTest, WhatTheOtherEndTakesBoundsIt) {
  ProbedPath path;
  path.takes = 8972;
  path.mtu.start(1472, false, path.now);
  path.run(10 * kNanosPerSecond);
  EXPECT_EQ(path.mtu.frame_bytes(), 1472U);
}

TEST(PathMtuTest, ItFallsBackWhenLongFramesVanishAndAShortPingDoesNot) {
  ProbedPath path;
  path.takes = 8972;
  path.mtu.start(pdp::kFrameBytesMax, false, path.now);
  path.run(kNanosPerSecond);
  ASSERT_EQ(path.mtu.frame_bytes(), 8972U);
  path.takes = 1472;
  path.mtu.long_frames_lost(2);
  path.mtu.long_frame_arrived();
  path.mtu.long_frames_lost(2);
  path.run(kNanosPerSecond);
  EXPECT_EQ(path.mtu.frame_bytes(), 8972U);
  path.mtu.long_frames_lost(1);
  path.run(kNanosPerSecond);
  EXPECT_EQ(path.mtu.fallbacks(), 1U);
  EXPECT_EQ(path.mtu.frame_bytes(), 1472U);
}

TEST(PathMtuTest, APathThatTakesNothingAtAllIsNoReasonToFallBack) {
  ProbedPath path;
  path.takes = 8972;
  path.mtu.start(pdp::kFrameBytesMax, false, path.now);
  path.run(kNanosPerSecond);
  path.takes = 0;
  path.mtu.long_frames_lost(10);
  path.run(kNanosPerSecond);
  EXPECT_EQ(path.mtu.frame_bytes(), 8972U);
}

TEST(PathMtuTest, WhatThisEndsLinkRefusesIsNotTriedAgainSoon) {
  ProbedPath path;
  path.mtu.start(pdp::kFrameBytesMax, false, path.now);
  const std::size_t probe = path.mtu.poll(path.now, path.rtt);
  path.mtu.refused(probe, path.now);
  EXPECT_FALSE(path.mtu.is_searching());
  EXPECT_EQ(path.mtu.frame_bytes(), 1252U);
}

// ---- Splitting -----------------------------------------------------------------------------

TEST(FrameRingTest, APieceHasTheSubjectOfTheFirstMessage) {
  FrameRing ring({.frames = 4, .buffer_bytes = 8972, .messages_per_frame_max = 8});
  Batcher batcher(ring, {.subjects_max = 1, .messages_per_frame_max = 8});
  for (std::uint64_t i = 0; i < 8; ++i) {
    const std::vector<std::byte> payload(500 + i, static_cast<std::byte>(i));
    ASSERT_EQ(batcher.append({.subject = "some.subject", .payload = payload}, i, 8972, kNever),
              Appended::kDone);
  }
  ASSERT_EQ(ring.size(), 1U);
  std::size_t place = 0;
  std::uint64_t next = 0;
  for (; place < ring.size(); ++place) {
    const auto split = ring.split(place, 1252);
    ASSERT_TRUE(split == FrameRing::Split::kDone || split == FrameRing::Split::kNotNeeded);
    const FrameId id = ring.id_at(place);
    EXPECT_LE(ring[id].frame_bytes(), 1252U);
    EXPECT_EQ(ring[id].sequence, next);
    std::vector<std::byte> messages(ring[id].frame_bytes() - pdp::kDataHeadBytes);
    ring.compose(id, messages);
    const auto run = pdp::check_run(messages, ring[id].messages);
    ASSERT_TRUE(run.has_value());
    EXPECT_EQ(run->subject, "some.subject");
    EXPECT_EQ(ring.opaques(ring[id].buffer)[ring[id].first_message], next);
    next = ring[id].end();
  }
  EXPECT_EQ(next, 8U);
  EXPECT_EQ(place, 4U);
  EXPECT_EQ(ring.free_buffers(), 3U);
  while (!ring.empty()) ring.pop_front();
  EXPECT_EQ(ring.free_buffers(), 4U);
}

TEST(FrameRingTest, AMessageThatIsLongerThanThePathIsLeftAlone) {
  FrameRing ring({.frames = 4, .buffer_bytes = 8972, .messages_per_frame_max = 8});
  Batcher batcher(ring, {.subjects_max = 1, .messages_per_frame_max = 8});
  const std::vector<std::byte> payload(3000);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(batcher.append({.subject = "a", .payload = payload}, 0, 8972, kNever),
              Appended::kDone);
  }
  batcher.seal_all();
  EXPECT_EQ(ring.split(0, 1252), FrameRing::Split::kTooLarge);
  EXPECT_EQ(ring.size(), 2U);
  EXPECT_EQ(ring.front().messages, 1U);
}

// ---- Batching ------------------------------------------------------------------------------

struct Batching {
  FrameRing ring{
      FrameRingOptions{.frames = 8, .messages_per_frame_max = 20}
  };
  Batcher batcher{
      ring, BatcherOptions{.subjects_max = 2, .messages_per_frame_max = 20}
  };
  // All that is in sealed frames, opaques at the end of each.
  [[nodiscard]] std::vector<std::byte> bytes() {
    batcher.seal_all();
    std::vector<std::byte> all;
    for (std::size_t place = 0; place < ring.size(); ++place) {
      const FrameEntry& entry = ring[ring.id_at(place)];
      const auto messages = ring.buffer(entry.buffer).subspan(entry.at, entry.bytes);
      all.insert(all.end(), messages.begin(), messages.end());
      const auto opaques = std::as_bytes(ring.opaques(entry.buffer).first(entry.messages));
      all.insert(all.end(), opaques.begin(), opaques.end());
    }
    return all;
  }
};

TEST(BatcherTest, MessagesTogetherMakeTheSameFramesAsOneByOne) {
  std::vector<std::vector<std::byte>> payloads;
  std::vector<PlainMessage> messages;
  for (std::size_t i = 0; i < 70; ++i) {
    // Lengths of all kinds of padding, some that make a frame full by bytes, some by count.
    payloads.emplace_back(i < 40 ? i : 20 * (i - 40), static_cast<std::byte>(i));
  }
  for (const auto& payload : payloads) {
    messages.push_back({.payload = payload, .opaque = messages.size()});
  }
  Batching together;
  Batching single;
  const AppendedAll appended = together.batcher.append_all("a.b", messages, 1400, kNever);
  for (std::size_t i = 0; i < appended.count; ++i) {
    ASSERT_EQ(single.batcher.append({.subject = "a.b", .payload = payloads[i]}, i, 1400, kNever),
              Appended::kDone);
  }
  ASSERT_EQ(appended.outcome, Appended::kFull);
  ASSERT_GT(appended.count, 50U);
  EXPECT_EQ(single.batcher.append({.subject = "a.b", .payload = payloads[appended.count]}, 0, 1400,
                                  kNever),
            Appended::kFull);
  EXPECT_EQ(together.batcher.messages(), single.batcher.messages());
  EXPECT_EQ(together.bytes(), single.bytes());
}

TEST(BatcherTest, AMessageThatFitsNowhereStopsThoseBehindItAndNotThoseBefore) {
  const std::vector<std::byte> short_one(10);
  const std::vector<std::byte> long_one(1500);
  const std::array<PlainMessage, 3> messages{
      {{.payload = short_one, .opaque = 0},
       {.payload = long_one, .opaque = 1},
       {.payload = short_one, .opaque = 2}}
  };
  Batching batching;
  const AppendedAll appended = batching.batcher.append_all("a", messages, 1400, kNever);
  EXPECT_EQ(appended.count, 1U);
  EXPECT_EQ(appended.outcome, Appended::kTooLarge);
}

// ---- Losses --------------------------------------------------------------------------------

class LossDetectorTest : public testing::Test {
 protected:
  FrameId send() {
    const FrameId id = ring_.seal(ring_.take_buffer(), 1, 40, MonotonicNanos(0));
    loss_.sent(id, now_);
    return id;
  }
  FrameRing ring_{
      {.frames = 16, .buffer_bytes = 1472}
  };
  LossDetector loss_{ring_, 0};
  RttEstimator rtt_;
  MonotonicNanos now_{0};
};

TEST_F(LossDetectorTest, AFrameIsLostWhenThreeThatWereSentLaterArrived) {
  const FrameId first = send();
  std::vector<FrameId> others;
  for (int i = 0; i < 3; ++i) others.push_back(send());
  EXPECT_TRUE(loss_.received(others[0]));
  EXPECT_TRUE(loss_.received(others[1]));
  EXPECT_EQ(loss_.find_overtaken().frames, 0U);
  EXPECT_TRUE(loss_.received(others[2]));
  EXPECT_FALSE(loss_.received(others[2]));
  EXPECT_EQ(loss_.find_overtaken().frames, 1U);
  EXPECT_EQ(loss_.next_lost(), first);
  EXPECT_EQ(loss_.in_flight_bytes(), 0U);
}

TEST_F(LossDetectorTest, WhatWasSentTwiceTellsNothingOfTheOthers) {
  const FrameId first = send();
  const FrameId second = send();
  EXPECT_EQ(loss_.time_out().frames, 2U);
  loss_.sent(second, now_);
  loss_.sent(first, now_);
  for (int i = 0; i < 3; ++i) send();
  EXPECT_TRUE(loss_.received(first));
  EXPECT_EQ(loss_.find_overtaken().frames, 0U);
}

TEST_F(LossDetectorTest, ATimeoutDoublesTheNextOneUntilSomethingArrives) {
  const FrameId first = send();
  EXPECT_EQ(loss_.deadline(rtt_), now_ + kTimeoutFirstNs);
  EXPECT_EQ(loss_.time_out().frames, 1U);
  EXPECT_EQ(loss_.deadline(rtt_), kNever);
  loss_.sent(first, now_);
  EXPECT_EQ(loss_.deadline(rtt_), now_ + 2 * kTimeoutFirstNs);
  EXPECT_TRUE(loss_.received(first));
  send();
  EXPECT_EQ(loss_.deadline(rtt_), now_ + kTimeoutFirstNs);
}

}  // namespace
}  // namespace penstock::client
