#include "storage/log/log_writer.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "tests/lib/log_fixture.h"
#include "tests/lib/ring_in_front.h"

namespace penstock {
namespace {

std::string payload_of(int i) { return fmt::format("message {} {}", i, std::string(i % 700, 'x')); }

void expect_payloads(const std::vector<std::string>& payloads, int first, int count) {
  ASSERT_EQ(payloads.size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    ASSERT_EQ(payloads[static_cast<std::size_t>(i)], payload_of(first + i));
  }
}

class LogWriterTest : public testing::TestWithParam<Durability> {
 protected:
  LogFixtureOptions options() {
    LogFixtureOptions made;
    made.durability = GetParam();
    return made;
  }
  TestFolder folder_;
};

TEST_P(LogWriterTest, WhatWasDurableIsReadBackInOrderAndNothingElse) {
  LogFixture fixture(folder_.path(), options());
  for (int i = 0; i < 20'000; ++i) fixture.append("a.b", payload_of(i));
  fixture.drain();
  EXPECT_EQ(fixture.observer.messages, 20'000U);
  EXPECT_GT(fixture.log().counters().segments_closed, 3U);
  expect_payloads(read_payloads(folder_.path()), 0, 20'000);
}

// Takes every second write at its second offer only, as a full queue does.
class RefusingRing final : public RingInFront {
 public:
  using RingInFront::RingInFront;
  bool queue_write(std::uint64_t token, IoFile file, std::uint64_t offset,
                   std::span<const std::byte> bytes, bool durable) override {
    refuses_ = !refuses_;
    return !refuses_ && RingInFront::queue_write(token, file, offset, bytes, durable);
  }

 private:
  bool refuses_ = false;
};

TEST_P(LogWriterTest, AFullQueueDelaysAWriteAndChangesNothingElse) {
  LogFixtureOptions made = options();
  made.in_front = [](std::unique_ptr<IoRing> ring) {
    return std::make_unique<RefusingRing>(std::move(ring));
  };
  {
    LogFixture fixture(folder_.path(), made);
    for (int i = 0; i < 20'000; ++i) fixture.append("a.b", payload_of(i));
    fixture.drain();
    EXPECT_GT(fixture.log().counters().segments_closed, 3U);
  }
  LogFixture again(folder_.path(), options());
  EXPECT_TRUE(again.recovered().findings.empty());
  const auto& segments = again.recovered().logs.at(LogNumber(0)).segments;
  EXPECT_EQ(std::ranges::count_if(segments, &KeptSegment::closed), std::ssize(segments) - 1)
      << "a footer is not where it has to be";
  expect_payloads(read_payloads(folder_.path()), 0, 20'000);
}

TEST_P(LogWriterTest, ALogGoesOnWhereItEnded) {
  for (int round = 0; round < 4; ++round) {
    LogFixture fixture(folder_.path(), options());
    EXPECT_TRUE(fixture.recovered().findings.empty());
    for (int i = 0; i < 3'000; ++i) fixture.append("a.b", payload_of(round * 3'000 + i));
    fixture.drain();
  }
  expect_payloads(read_payloads(folder_.path()), 0, 12'000);
}

TEST_P(LogWriterTest, WithoutAnOrderlyEndNothingDurableIsLost) {
  for (int round = 0; round < 4; ++round) {
    LogFixture fixture(folder_.path(), options());
    for (int i = 0; i < 1'000; ++i) fixture.append("a.b", payload_of(round * 1'000 + i));
    fixture.drain(false);
  }
  expect_payloads(read_payloads(folder_.path()), 0, 4'000);
}

TEST_P(LogWriterTest, RetentionKeepsTheNewestSegments) {
  LogFixtureOptions few = options();
  few.retention.max_bytes = 4 * kMiB;
  LogFixture fixture(folder_.path(), few);
  for (int i = 0; i < 60'000; ++i) fixture.append("a.b", payload_of(i));
  fixture.drain();
  EXPECT_LE(fixture.keeper().segments(LogNumber(0)).size(), 5U);
  const auto payloads = read_payloads(folder_.path());
  ASSERT_FALSE(payloads.empty());
  EXPECT_EQ(payloads.back(), payload_of(59'999));
  expect_payloads(payloads, 60'000 - static_cast<int>(payloads.size()),
                  static_cast<int>(payloads.size()));
}

TEST_P(LogWriterTest, AFullVolumeStopsAdmittingAndSaysWhy) {
  LogFixtureOptions small = options();
  small.capacity_bytes = 3 * kMiB;
  LogFixture fixture(folder_.path(), small);
  Appended result = Appended::kOk;
  std::uint64_t taken = 0;
  for (int i = 0; i < 1'000'000 && result != Appended::kVolumeFull; ++i) {
    result = fixture.try_append("a.b", payload_of(500));
    taken += result == Appended::kOk ? 1U : 0U;
    fixture.step();
  }
  EXPECT_EQ(result, Appended::kVolumeFull);
  const auto in_flight = fixture.log().in_flight();
  EXPECT_EQ(fixture.observer.messages + in_flight.messages, taken);
}

TEST_P(LogWriterTest, AMessageLargerThanABlockIsRefused) {
  LogFixture fixture(folder_.path(), options());
  EXPECT_EQ(fixture.try_append("a.b", std::string(64 * 1024, 'x')), Appended::kTooLarge);
  EXPECT_EQ(fixture.try_append("a.b", std::string(63 * 1024, 'x')), Appended::kOk);
}

INSTANTIATE_TEST_SUITE_P(Durabilities, LogWriterTest,
                         testing::Values(Durability::kSync, Durability::kFlush),
                         [](const auto& tested) {
                           return tested.param == Durability::kSync ? "Sync" : "Flush";
                         });

}  // namespace
}  // namespace penstock
