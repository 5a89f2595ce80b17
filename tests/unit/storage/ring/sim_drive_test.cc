#include "storage/ring/sim_drive.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "storage/ring/io_ring_sim.h"
#include "storage/volume/volume_device.h"

namespace penstock {
namespace {

constexpr std::uint64_t kFileBytes = 64 * 1024;
constexpr int kFile = 1;

class SimDriveTest : public testing::Test {
 protected:
  SimDriveTest() { restart(1); }

  void restart(std::uint64_t seed, const SimDriveOptions& options = {}) {
    ring_.reset();
    drive_ = std::make_unique<SimDrive>(seed, clock_, options);
    EXPECT_TRUE(drive_->create(kFile, kFileBytes).has_value());
    open_ring();
  }
  void open_ring() {
    ring_ = make_io_ring_sim(*drive_);
    file_.index = ring_->attach(kFile).value();
  }
  std::span<const std::byte> pages(char fill, std::size_t count) {
    buffers_.push_back(allocate_pages(count * kPageBytes));
    const std::span bytes(buffers_.back().get(), count * kPageBytes);
    std::ranges::fill(bytes, static_cast<std::byte>(fill));
    return bytes;
  }
  // All completions there are after the longest delay.
  std::vector<IoCompletion> complete() {
    ring_->submit();
    clock_.advance(SimDriveOptions{}.slow_ns_max);
    std::vector<IoCompletion> all(64);
    all.resize(ring_->reap(all));
    return all;
  }
  std::int32_t write(char fill, bool durable) {
    EXPECT_TRUE(ring_->queue_write(1, file_, 0, pages(fill, 2), durable));
    return complete().at(0).result;
  }
  std::int32_t flush() {
    EXPECT_TRUE(ring_->queue_flush(2, file_));
    return complete().at(0).result;
  }
  // How many of the first two pages' bytes are `fill`.
  std::size_t count(char fill) {
    std::vector<std::byte> bytes(2 * kPageBytes);
    EXPECT_TRUE(drive_->read(kFile, 0, bytes).has_value());
    return static_cast<std::size_t>(std::ranges::count(bytes, static_cast<std::byte>(fill)));
  }

  static constexpr std::size_t kBoth = 2 * kPageBytes;
  SimClock clock_;
  std::unique_ptr<SimDrive> drive_;
  std::vector<PageBuffer> buffers_;
  std::unique_ptr<IoRing> ring_;
  IoFile file_;
};

TEST_F(SimDriveTest, AMisdirectedWriteSaysThatItIsDoneAndDamagesTwoPlaces) {
  SimDriveOptions options;
  options.rates.misdirected = 1'000'000;
  restart(1, options);
  EXPECT_FALSE(drive_->is_damaged(kFile, 0, kFileBytes));
  EXPECT_EQ(write('a', true), static_cast<std::int32_t>(kBoth));
  EXPECT_LT(count('a'), kBoth);
  EXPECT_TRUE(drive_->is_damaged(kFile, 0, kBoth));
  const auto bytes = drive_->stable_bytes(kFile);
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(bytes, std::byte{'a'})), kBoth);
  for (std::uint64_t at = 0; at < kFileBytes; at += kPageBytes) {
    if (bytes[at] != std::byte{'a'}) continue;
    EXPECT_TRUE(drive_->is_damaged(kFile, at, kPageBytes));
  }
  drive_->heal();
  EXPECT_EQ(write('b', true), static_cast<std::int32_t>(kBoth));
  EXPECT_EQ(count('b'), kBoth);
  EXPECT_FALSE(drive_->is_damaged(kFile, 0, kBoth)) << "it was written again";
}

TEST_F(SimDriveTest, ADurableWriteAndAFlushedOneSurviveAPowerCut) {
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    restart(seed);
    EXPECT_EQ(write('a', true), static_cast<std::int32_t>(kBoth));
    drive_->crash();
    EXPECT_EQ(count('a'), kBoth);
    EXPECT_EQ(write('b', false), static_cast<std::int32_t>(kBoth));
    EXPECT_EQ(flush(), 0);
    drive_->crash();
    EXPECT_EQ(count('b'), kBoth);
  }
}

TEST_F(SimDriveTest, AnUnflushedWriteSurvivesAKillButAPowerCutMayTakeAllSomeOrNoneOfIt) {
  unsigned all = 0;
  unsigned some = 0;
  unsigned none = 0;
  for (std::uint64_t seed = 1; seed < 100; ++seed) {
    restart(seed);
    EXPECT_EQ(write('a', false), static_cast<std::int32_t>(kBoth));
    ring_.reset();
    EXPECT_EQ(count('a'), kBoth);
    drive_->crash();
    const std::size_t left = count('a');
    EXPECT_EQ(left % SimDrive::kSectorBytes, 0U);
    ++(left == kBoth ? all : left == 0 ? none : some);
  }
  EXPECT_GT(all, 10U);
  EXPECT_GT(some, 10U);
  EXPECT_GT(none, 10U);
}

TEST_F(SimDriveTest, AFlushCoversOnlyWhatHadCompletedWhenItWasQueued) {
  unsigned lost = 0;
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    restart(seed);
    ASSERT_TRUE(ring_->queue_write(1, file_, 0, pages('a', 2), false));
    ASSERT_TRUE(ring_->queue_flush(2, file_));
    EXPECT_EQ(complete().size(), 2U);
    drive_->crash();
    lost += count('a') == kBoth ? 0U : 1U;
  }
  EXPECT_GT(lost, 0U);
}

TEST_F(SimDriveTest, AfterAFailedFlushTheNextOneSucceedsAndTheDataMayBeGone) {
  unsigned lost = 0;
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    restart(seed);
    EXPECT_EQ(write('a', false), static_cast<std::int32_t>(kBoth));
    drive_->fail_in(0, SimFault::kError);
    EXPECT_EQ(flush(), -EIO);
    EXPECT_EQ(flush(), 0);
    lost += count('a') == kBoth ? 0U : 1U;
  }
  EXPECT_GT(lost, 0U);
}

TEST_F(SimDriveTest, AChosenWriteFailsOrIsShort) {
  drive_->fail_in(1, SimFault::kError);
  drive_->fail_in(2, SimFault::kShortWrite);
  EXPECT_EQ(write('a', true), static_cast<std::int32_t>(kBoth));
  EXPECT_EQ(write('b', true), -EIO);
  const std::int32_t shorter = write('c', true);
  EXPECT_GE(shorter, 0);
  EXPECT_LT(shorter, static_cast<std::int32_t>(kBoth));
  EXPECT_EQ(write('d', true), static_cast<std::int32_t>(kBoth));
  EXPECT_EQ(drive_->counters().faults, 2U);
}

TEST_F(SimDriveTest, WithoutPowerNothingCompletesUntilItIsBack) {
  drive_->fail_in(0, SimFault::kPowerCut);
  ASSERT_TRUE(ring_->queue_write(1, file_, 0, pages('a', 2), true));
  EXPECT_TRUE(complete().empty());
  EXPECT_FALSE(drive_->has_power());
  EXPECT_FALSE(drive_->write(kFile, 0, pages('b', 1)).has_value());
  ring_.reset();
  drive_->crash();
  open_ring();
  EXPECT_EQ(write('c', true), static_cast<std::int32_t>(kBoth));
}

TEST_F(SimDriveTest, OperationsCompleteInAnyOrder) {
  bool swapped = false;
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    restart(seed);
    ASSERT_TRUE(ring_->queue_write(1, file_, 0, pages('a', 1), true));
    ASSERT_TRUE(ring_->queue_write(2, file_, kPageBytes, pages('b', 1), true));
    swapped |= complete().at(0).token == 2;
  }
  EXPECT_TRUE(swapped);
}

TEST_F(SimDriveTest, AFullDriveRefusesAFile) {
  restart(1, {.capacity_bytes = 2 * kFileBytes});
  EXPECT_TRUE(drive_->create(2, kFileBytes).has_value());
  EXPECT_EQ(drive_->create(3, kFileBytes).error().code, Errc::kNoSpace);
  EXPECT_TRUE(drive_->remove(2).has_value());
  EXPECT_TRUE(drive_->create(3, kFileBytes).has_value());
}

TEST_F(SimDriveTest, TheSameSeedGivesTheSameTraceAndAnotherADifferentOne) {
  const auto trace = [&](std::uint64_t seed) {
    clock_ = SimClock();
    restart(seed);
    write('a', false);
    drive_->crash();
    return drive_->trace();
  };
  EXPECT_EQ(trace(7), trace(7));
  EXPECT_NE(trace(7), trace(8));
}

TEST_F(SimDriveTest, AFullRingRefusesAndWhatTheKernelDoesNotTakeStaysQueued) {
  SimDriveOptions options;
  options.rates.partial_submit = 1'000'000;
  restart(1, options);
  ring_ = make_io_ring_sim(*drive_, {.entries = 2, .files = 1});
  file_.index = ring_->attach(kFile).value();
  EXPECT_EQ(ring_->attach(kFile).error().code, Errc::kNoSpace);
  EXPECT_TRUE(ring_->queue_write(1, file_, 0, pages('a', 1), true));
  EXPECT_TRUE(ring_->queue_write(2, file_, 0, pages('a', 1), true));
  EXPECT_FALSE(ring_->queue_write(3, file_, 0, pages('a', 1), true));
  ring_->submit();
  EXPECT_EQ(ring_->in_flight(), 2U);
  drive_->heal();
  EXPECT_EQ(complete().size(), 2U);
  EXPECT_EQ(ring_->in_flight(), 0U);
}

}  // namespace
}  // namespace penstock
