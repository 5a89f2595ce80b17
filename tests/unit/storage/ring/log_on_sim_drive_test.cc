// A log and its recovery on a drive that fails at chosen moments.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/lib/sanitized.h"
#include "tests/lib/sim_life.h"

namespace penstock {
namespace {

SegmentIndex index_of(SimLife& life, const SegmentFooter& footer) {
  const std::uint64_t begin = std::uint64_t{footer.index_position} * kPageBytes;
  std::vector<std::byte> bytes(footer.segment_bytes - kPageBytes - begin);
  EXPECT_TRUE(life.device().read(SlotIndex(footer.slot), begin, bytes).has_value());
  return decode_segment_index(bytes, footer).value();
}

// A world of its own for each case, so that a case can be repeated alone.
struct World {
  explicit World(std::uint64_t seed) : drive(seed, clock, {}) {}
  SimClock clock;
  SimDrive drive;
};

TEST(LogOnSimDrive, AClosedSegmentsIndexSaysWhereItsOwnMessagesEndWhileTheNextIsFilled) {
  World world(1);
  SimLife life(world.drive, world.clock, 1);
  life.fill(4);
  std::uint64_t next = 0;
  for (const KeptSegment& segment : life.segments()) {
    if (!segment.closed) continue;
    const SegmentIndex index = index_of(life, segment.footer);
    ASSERT_EQ(index.partitions.size(), 1U);
    EXPECT_EQ(index.partitions[0].first_offset, next);
    next += segment.footer.message_count;
    EXPECT_EQ(index.partitions[0].next_offset, next);
    EXPECT_EQ(index.partitions[0].payload_bytes, segment.footer.payload_bytes);
    EXPECT_EQ(index.partitions[0].last_block, segment.footer.block_count - 1);
  }
  EXPECT_GT(next, 0U);
}

constexpr std::size_t kPayloadBytes = 30'000;

struct Sweep {
  const char* name;
  SimFault fault;
  bool for_ever;
};

// What is wrong after a failure at operation `n` and a power cut some time later.
std::string fail_at(std::uint64_t n, const Sweep& sweep, Durability durability,
                    std::uint64_t sessions) {
  World world(n + 1);
  SimLifeOptions options;
  options.durability = durability;
  options.block_bytes = 32 * 1024;
  options.payload_bytes = sessions == 0 ? kPayloadBytes : kPayloadBytes / 3;
  options.sessions = sessions;
  LogExpectation expected;
  {
    SimLife life(world.drive, world.clock, n + 1, options);
    world.drive.fail_in(n, sweep.fault, sweep.for_ever);
    // Until it was met, and for some time on.
    const std::uint64_t end = world.drive.counters().operations + n + 40;
    for (unsigned i = 0; i < 2'000 && world.drive.has_power(); ++i) {
      if (world.drive.counters().operations >= end) break;
      static_cast<void>(life.append());
      life.step();
    }
    expected = {.durable = life.durable(),
                .appended = life.appended(),
                .payload_bytes = options.payload_bytes,
                .sessions = life.sessions()};
  }
  world.drive.crash();
  world.drive.heal();
  SimDrive& drive = world.drive;
  if (std::string wrong = what_is_wrong(drive, expected); !wrong.empty()) return wrong;
  SimLife again(drive, world.clock, n + 2, options);
  const std::uint64_t found = again.durable();
  for (unsigned i = 0; i < 2'000 && again.durable() < found + 10; ++i) {
    static_cast<void>(again.append());
    again.step();
  }
  expected.durable = again.durable();
  expected.appended = again.appended();
  expected.sessions = again.sessions();
  if (again.durable() < found + 10) return "the log does not go on";
  return what_is_wrong(drive, expected);
}

// For every operation of a log's beginning, or every third, segment changes included.
void fail_at_every_operation(std::string_view figure, std::uint64_t sessions) {
  constexpr std::uint64_t kStep = test::kSanitized ? 31 : 1;
  constexpr std::uint64_t kOperations = 100;
  constexpr std::array kSweeps{
      Sweep{"EIO once",         SimFault::kError,       false},
      Sweep{"EIO for ever",     SimFault::kError,       true },
      Sweep{"ENOSPC once",      SimFault::kNoSpace,     false},
      Sweep{"ENOSPC for ever",  SimFault::kNoSpace,     true },
      Sweep{"EINTR once",       SimFault::kInterrupted, false},
      Sweep{"EAGAIN once",      SimFault::kTryAgain,    false},
      Sweep{"short write once", SimFault::kShortWrite,  false},
      Sweep{"power cut",        SimFault::kPowerCut,    false},
  };
  const std::uint64_t step = sessions == 0 ? kStep : 3 * kStep;
  std::uint64_t cases = 0;
  std::uint64_t failed = 0;
  for (const Sweep& sweep : kSweeps) {
    for (const Durability durability : {Durability::kSync, Durability::kFlush}) {
      for (std::uint64_t n = 0; n < kOperations; n += step, ++cases) {
        const std::string wrong = fail_at(n, sweep, durability, sessions);
        if (wrong.empty()) continue;
        ++failed;
        ADD_FAILURE() << sweep.name << " at operation " << n << ", "
                      << (durability == Durability::kSync ? "sync" : "flush") << ": " << wrong;
      }
    }
  }
  fmt::print("FIGURE name={} cases={} failed={}\n", figure, cases, failed);
}

TEST(LogOnSimDrive, AFailureAtAnyOperationLosesNothingThatWasDurableAndInventsNothing) {
  fail_at_every_operation("sim_chosen_faults", 0);
}

TEST(LogOnSimDrive, AfterAFailureAtAnyOperationEachSessionGoesOnBehindItsLastRun) {
  fail_at_every_operation("sim_chosen_faults_of_sessions", 3);
}

// Several lives on one drive, each with faults of its own, ended by a kill or a power cut.
TEST(LogOnSimDrive, LifeAfterLifeEachSessionGoesOnBehindItsLastRun) {
  constexpr std::uint64_t kSeeds = test::kSanitized ? 3 : 80;
  constexpr std::array kFaults{SimFault::kError, SimFault::kShortWrite, SimFault::kNoSpace,
                               SimFault::kPowerCut};
  std::uint64_t cases = 0;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    World world(seed);
    Rng rng(seed);
    SimLifeOptions options{.block_bytes = 32 * 1024, .payload_bytes = 4'000, .sessions = 5};
    if (rng.chance(500'000)) options.durability = Durability::kFlush;
    for (unsigned round = 0; round < 8; ++round, ++cases) {
      LogExpectation expected{.payload_bytes = options.payload_bytes};
      {
        SimLife life(world.drive, world.clock, rng.next(), options);
        if (rng.chance(700'000)) {
          world.drive.fail_in(rng.below(120), kFaults[rng.below(kFaults.size())]);
        }
        const std::uint64_t steps = 20 + rng.below(600);
        for (std::uint64_t i = 0; i < steps && world.drive.has_power(); ++i) {
          for (std::uint64_t left = rng.below(4); left > 0; --left) {
            static_cast<void>(life.append());
          }
          if (rng.chance(50'000)) life.log().seal();
          life.step();
        }
        expected.durable = life.durable();
        expected.appended = life.appended();
        expected.sessions = life.sessions();
      }
      if (!world.drive.has_power() || rng.chance(600'000)) world.drive.crash();
      world.drive.heal();
      const std::string wrong = what_is_wrong(world.drive, expected);
      if (wrong.empty()) continue;
      ++failed;
      ADD_FAILURE() << "seed " << seed << ", life " << round << ": " << wrong;
      break;
    }
  }
  fmt::print("FIGURE name=sim_lives_of_sessions cases={} failed={}\n", cases, failed);
}

// All runs of most sessions are in segments that are retired by then.
TEST(LogOnSimDrive, AfterPowerCutsSessionsAreKnownWhoseRunsWereRetired) {
  constexpr std::uint64_t kSessions = 40;
  for (std::uint64_t seed = 1; seed <= (test::kSanitized ? 4 : 20); ++seed) {
    World world(seed);
    SimLifeOptions options{.retention = {.max_bytes = 3 * kSegmentBytesMin}, .sessions = kSessions};
    SimLife(world.drive, world.clock, seed, options).fill(2);
    world.drive.crash();
    options.sessions = 1;  // the others do not come back
    std::map<SessionNumber, std::uint64_t> before;
    for (std::uint64_t round = 0; round < 3; ++round) {
      SimLife life(world.drive, world.clock, seed + round, options);
      std::map<SessionNumber, std::uint64_t> known;
      for (const auto& producer : life.recovered.logs[LogNumber(0)].start.producers) {
        if (producer.session != SessionNumber(0)) known[producer.session] = producer.next_sequence;
      }
      if (round == 0) before = known;
      EXPECT_GT(known.size(), kSessions / 2);
      EXPECT_EQ(known, before) << "seed " << seed << ", round " << round;
      life.fill(5);
      EXPECT_GT(life.segments().front().header.sequence, 2U + round * 3);
      world.drive.crash();
    }
  }
}

// After a failure near a segment's end its blocks are written again to a third segment, while the
// second one's header still says that it follows the first.
TEST(LogOnSimDrive, ASegmentGivenUpAfterAFailureDoesNotComeBackWithACrash) {
  unsigned given_up = 0;
  for (std::uint64_t n = 40; n < 100; ++n) {
    World world(n);
    SimDrive& drive = world.drive;
    LogExpectation expected;
    {
      SimLife life(drive, world.clock, n);
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
      expected = {.durable = life.durable(), .appended = life.appended()};
      given_up += life.log().counters().segments_taken > taken ? 1U : 0U;
    }
    drive.crash();
    EXPECT_EQ(what_is_wrong(drive, expected), "") << "operation " << n;
    SimLife again(drive, world.clock, n + 1);
    const RecoveredLog& log = again.recovered.logs[LogNumber(0)];
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
TEST(LogOnSimDrive, WhatRecoveryFoundAfterAKillSurvivesTheNextPowerCut) {
  std::uint64_t found = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    World world(seed);
    SimDrive& drive = world.drive;
    {
      SimLife life(drive, world.clock, seed);
      for (unsigned i = 0; i < 100 + seed; ++i) {
        static_cast<void>(life.append());
        life.step();
      }
    }
    const auto next = [&] {
      return SimLife(drive, world.clock, seed)
          .recovered.logs[LogNumber(0)]
          .start.next_sequence.value;
    };
    found = next();
    drive.crash();
    EXPECT_EQ(next(), found) << "seed " << seed;
  }
  EXPECT_GT(found, 0U);
}

TEST(LogOnSimDrive, APowerCutWhileTheFirstStreamsAreNamedLeavesTheVolumeUsable) {
  std::vector<std::string> names;
  for (unsigned i = 0; i < 40; ++i) names.push_back(fmt::format("{}{}", std::string(200, 's'), i));
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    World world(seed);
    SimDrive& drive = world.drive;
    Volume made = Volume::create(make_sim_device(drive), {.segment_bytes = kSegmentBytesMin},
                                 VolumeId{}, world.clock.unix_now())
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
