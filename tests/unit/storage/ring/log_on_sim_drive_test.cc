// A log and its recovery on a drive that fails at chosen moments.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/log/keeper.h"
#include "storage/recover/recovery.h"
#include "storage/ring/io_ring_sim.h"
#include "storage/volume/device_sim.h"

namespace penstock {
namespace {

constexpr std::uint32_t kBlockBytes = 16 * 1024;
constexpr std::size_t kBlocks = 8;

class Nobody final : public LogObserver {
 public:
  void on_durable(const Block& /*block*/) override {}
};

// One life of a log.
class Life {
 public:
  Life(SimDrive& drive, SimClock& clock, Rng& rng)
      : clock_(clock),
        memory_(allocate_pages(kBlocks * kBlockBytes)),
        pool_({memory_.get(), kBlocks * kBlockBytes}, kBlockBytes),
        volume_(open(drive, clock)),
        recovered(recover_volume(volume_).value()),
        keeper_(volume_, {}, clock),
        ring_(make_io_ring_sim(drive)) {
    for (const SlotIndex slot : recovered.free_slots) keeper_.add_free_slot(slot);
    RecoveredLog& log = recovered.logs[LogNumber(0)];
    keeper_.add_log(LogNumber(0), &channel_, log.segments);
    if (log.start.open) {
      log.start.open->file =
          volume_.device().open_slot(SlotIndex(log.start.open->header.slot)).value();
    }
    log_ =
        std::make_unique<LogWriter>(LogOptions{.volume = volume_.superblock().volume,
                                               .log = LogNumber(0),
                                               .segment_bytes = volume_.superblock().segment_bytes,
                                               .block_bytes = kBlockBytes},
                                    log.start, pool_, *ring_, channel_, clock, rng, nobody_);
    const StreamId all = stream_id("all");
    set_ = log_->add_capture_set({&all, 1}).value();
  }

  // Appends until `segments` are closed.
  void fill(std::uint64_t segments) {
    while (log_->counters().segments_closed < segments) {
      append();
      step();
    }
  }
  bool append() {
    const std::string payload(10'000, 'x');
    MessageView message;
    message.subject = "a";
    message.received = clock_.unix_now();
    message.payload = std::as_bytes(std::span(payload));
    return log_->append(set_, 0, message) == Appended::kOk;
  }
  void step() {
    keeper_.step();
    step_log();
  }
  void step_log() {
    log_->poll(clock_.monotonic_now());
    clock_.advance(50'000);
  }
  [[nodiscard]] const std::vector<KeptSegment>& segments() {
    return keeper_.segments(LogNumber(0));
  }
  [[nodiscard]] SegmentIndex index_of(const SegmentFooter& footer) {
    const std::uint64_t begin = std::uint64_t{footer.index_position} * kPageBytes;
    std::vector<std::byte> bytes(footer.segment_bytes - kPageBytes - begin);
    EXPECT_TRUE(volume_.device().read(SlotIndex(footer.slot), begin, bytes).has_value());
    return decode_segment_index(bytes, footer).value();
  }
  [[nodiscard]] LogWriter& log() { return *log_; }

 private:
  static Volume open(SimDrive& drive, Clock& clock) {
    if (drive.exists(0)) return Volume::open(make_sim_device(drive)).value();
    return Volume::create(make_sim_device(drive), {.segment_bytes = kSegmentBytesMin}, VolumeId{},
                          clock.unix_now())
        .value();
  }

  SimClock& clock_;
  Nobody nobody_;
  PageBuffer memory_;
  BlockPool pool_;
  SegmentChannel channel_;
  Volume volume_;

 public:
  RecoveredVolume recovered;

 private:
  Keeper keeper_;
  std::unique_ptr<IoRing> ring_;
  std::unique_ptr<LogWriter> log_;
  CaptureSetId set_;
};

class LogOnSimDrive : public testing::Test {
 protected:
  SimClock clock_;
  Rng rng_{1};
  SimDrive drive_{1, clock_, {}};
};

TEST_F(LogOnSimDrive, AClosedSegmentsIndexSaysWhereItsOwnMessagesEndWhileTheNextIsFilled) {
  Life life(drive_, clock_, rng_);
  life.fill(4);
  std::uint64_t next = 0;
  for (const KeptSegment& segment : life.segments()) {
    if (!segment.closed) continue;
    const SegmentIndex index = life.index_of(segment.footer);
    ASSERT_EQ(index.partitions.size(), 1U);
    EXPECT_EQ(index.partitions[0].first_offset, next);
    next += segment.footer.message_count;
    EXPECT_EQ(index.partitions[0].next_offset, next);
    EXPECT_EQ(index.partitions[0].payload_bytes, segment.footer.payload_bytes);
    EXPECT_EQ(index.partitions[0].last_block, segment.footer.block_count - 1);
  }
  EXPECT_GT(next, 0U);
}

// Figure of crash points: a power cut and a failure at every one of the first operations of a log.
TEST_F(LogOnSimDrive, AFailureAtAnyOperationLosesNothingThatWasDurable) {
  constexpr std::uint64_t kOperations = 60;
  std::uint64_t cases = 0;
  for (const SimFault fault : {SimFault::kError, SimFault::kShortWrite, SimFault::kPowerCut}) {
    for (std::uint64_t n = 0; n < kOperations; ++n, ++cases) {
      SimDrive drive(n + 1, clock_, {});
      std::uint64_t durable = 0;
      {
        Life life(drive, clock_, rng_);
        drive.fail_in(n, fault);
        for (unsigned i = 0; i < 300 && drive.has_power(); ++i) {
          static_cast<void>(life.append());
          life.step();
        }
        durable = life.log().watermarks().durable.value;
      }
      drive.crash();
      Life again(drive, clock_, rng_);
      EXPECT_GE(again.recovered.logs[LogNumber(0)].start.next_sequence.value, durable);
      for (const Finding& finding : again.recovered.findings) {
        EXPECT_TRUE(finding.kind == Finding::Kind::kTornTail ||
                    finding.kind == Finding::Kind::kCorruptFooter)
            << "operation " << n << ": " << finding.what;
      }
    }
  }
  fmt::print("FIGURE name=sim_chosen_faults cases={} failed={}\n", cases, HasFailure() ? 1 : 0);
}

// After a failure near a segment's end its blocks are written again to a third segment, while the
// second one's header still says that it follows the first.
TEST_F(LogOnSimDrive, ASegmentGivenUpAfterAFailureDoesNotComeBackWithACrash) {
  unsigned given_up = 0;
  for (std::uint64_t n = 40; n < 100; ++n) {
    SimDrive drive(n, clock_, {});
    std::uint64_t durable = 0;
    {
      Life life(drive, clock_, rng_);
      drive.fail_in(n, SimFault::kError);
      for (unsigned i = 0; i < 5'000 && life.log().counters().write_errors == 0; ++i) {
        static_cast<void>(life.append());
        life.step();
      }
      const std::uint64_t taken = life.log().counters().segments_taken;
      const std::uint64_t failed_at = life.log().watermarks().durable.value;
      // The keeper has not come round to the slots that were given up.
      for (unsigned i = 0; i < 500 && life.log().watermarks().durable.value < failed_at + 3; ++i) {
        static_cast<void>(life.append());
        life.step_log();
      }
      durable = life.log().watermarks().durable.value;
      given_up += life.log().counters().segments_taken > taken ? 1U : 0U;
    }
    drive.crash();
    Life again(drive, clock_, rng_);
    const RecoveredLog& log = again.recovered.logs[LogNumber(0)];
    EXPECT_GE(log.start.next_sequence.value, durable) << "operation " << n;
    for (std::size_t i = 1; i < log.segments.size(); ++i) {
      EXPECT_LT(log.segments[i - 1].header.base_sequence, log.segments[i].header.base_sequence)
          << "operation " << n;
    }
    for (const Finding& finding : again.recovered.findings) {
      EXPECT_EQ(finding.kind, Finding::Kind::kTornTail)
          << "operation " << n << ": " << finding.what;
    }
  }
  EXPECT_GT(given_up, 30U);
}

// A process that was killed leaves writes in the drive's cache; recovery must not build on them.
TEST_F(LogOnSimDrive, WhatRecoveryFoundAfterAKillSurvivesTheNextPowerCut) {
  std::uint64_t found = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SimDrive drive(seed, clock_, {});
    {
      Life life(drive, clock_, rng_);
      for (unsigned i = 0; i < 100 + seed; ++i) {
        static_cast<void>(life.append());
        life.step();
      }
    }
    const auto next = [&] {
      return Life(drive, clock_, rng_).recovered.logs[LogNumber(0)].start.next_sequence.value;
    };
    found = next();
    drive.crash();
    EXPECT_EQ(next(), found) << "seed " << seed;
  }
  EXPECT_GT(found, 0U);
}

TEST_F(LogOnSimDrive, APowerCutWhileTheFirstStreamsAreNamedLeavesTheVolumeUsable) {
  std::vector<std::string> names;
  for (unsigned i = 0; i < 40; ++i) names.push_back(fmt::format("{}{}", std::string(200, 's'), i));
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SimDrive drive(seed, clock_, {});
    Volume made = Volume::create(make_sim_device(drive), {.segment_bytes = kSegmentBytesMin},
                                 VolumeId{}, clock_.unix_now())
                      .value();
    drive.fail_in(0, SimFault::kPowerCut);
    EXPECT_FALSE(made.add_streams(names).has_value());
    drive.crash();
    const auto opened = Volume::open(make_sim_device(drive));
    ASSERT_TRUE(opened.has_value()) << opened.error().what;
  }
}

}  // namespace
}  // namespace penstock
