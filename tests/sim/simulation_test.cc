#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/lib/log_fixture.h"
#include "tests/lib/sanitized.h"
#include "tests/sim/run.h"
#include "tests/sim/seeds.h"
#include "tests/sim/trace_told.h"

namespace penstock::sim {
namespace {

constexpr std::uint64_t kSeeds = test::kSanitized ? 20 : 300;
constexpr std::uint64_t kSeedsTwice = test::kSanitized ? 2 : 10;
constexpr std::uint64_t kCrashSteps = test::kSanitized ? 20 : 400;
constexpr std::uint64_t kStepsBehindCrash = 60;

class Simulation : public testing::Test {
 protected:
  Outcome run_seed(std::uint64_t seed, const RunPlan& plan = {}) {
    return run(seed, pool_, folder_.path() + "/ledger", plan);
  }

  Seeds seeds_{kSeeds};
  test::PacketPool pool_{4095, 2048};
  TestFolder folder_;
};

void add(Outcome& sum, const Outcome& outcome) {
  sum.trace = (sum.trace ^ outcome.trace) * 0x9E3779B97F4A7C15ULL;
  sum.crashes += outcome.crashes;
  sum.faults += outcome.faults;
  sum.packets += outcome.packets;
  sum.reported += outcome.reported;
  sum.verified += outcome.verified;
  sum.read += outcome.read;
  sum.gaps += outcome.gaps;
}

TEST_F(Simulation, WhatWasReportedDurableIsThereOnceAndInOrderAfterEveryCrash) {
  Outcome sum;
  std::uint64_t failed = 0;
  std::uint64_t done = 0;
  for (; done < seeds_.count && !seeds_.time_is_up(); ++done) {
    const std::uint64_t seed = seeds_.first + done;
    const Outcome outcome = run_seed(seed);
    add(sum, outcome);
    if (outcome.failure.empty()) continue;
    ++failed;
    ADD_FAILURE() << "seed " << seed << ": " << outcome.failure
                  << "; again: make sim SEED=" << seed;
  }
  fmt::print("trace of {} seeds from {} on: {:016x}\n", done, seeds_.first, sum.trace);
  const auto figure = [&](std::string_view name, std::uint64_t cases) {
    fmt::print("FIGURE name=sim_{} cases={} failed={}\n", name, cases, failed);
  };
  figure("seeds", done);
  figure("crashes", sum.crashes);
  figure("disk_faults", sum.faults);
  figure("packets", sum.packets);
  figure("messages_reported_durable", sum.reported);
  figure("messages_verified", sum.verified);
  figure("messages_read", sum.read);
  figure("gaps_told", sum.gaps);
}

// A power cut or kill at every step of a young node's life, from the first slot on.
TEST_F(Simulation, ACrashAtAnyStepTakesNothingAway) {
  std::uint64_t cases = 0;
  std::uint64_t failed = 0;
  for (; cases < kCrashSteps && !seeds_.chosen && !seeds_.time_is_up(); ++cases) {
    const std::uint64_t seed = seeds_.first + cases / 100;
    const std::uint64_t step = cases % 100;
    const Outcome outcome = run_seed(seed, {.steps = step + kStepsBehindCrash, .crash_at = step});
    if (outcome.failure.empty()) continue;
    ++failed;
    ADD_FAILURE() << "seed " << seed << ", crash at step " << step << ": " << outcome.failure
                  << "; again: PENSTOCK_SEEDS=" << seed
                  << ":1 build/release/tests/sim --gtest_filter=*ACrashAtAnyStep*";
  }
  fmt::print("FIGURE name=sim_crash_at_each_step cases={} failed={}\n", cases, failed);
}

TEST_F(Simulation, TheSameSeedGivesTheSameTrace) {
  const std::uint64_t count = std::min(seeds_.count, kSeedsTwice);
  std::uint64_t different = 0;
  for (std::uint64_t seed = seeds_.first; seed < seeds_.first + count; ++seed) {
    different += run_seed(seed).trace == run_seed(seed).trace ? 0U : 1U;
  }
  fmt::print("FIGURE name=sim_replays cases={} failed={}\n", count, different);
  EXPECT_EQ(different, 0U);
}

TEST_F(Simulation, AnotherProcessGivesTheSameTrace) {
  const std::string first = trace_told(seeds_.first, "*WhatWasReported*");
  EXPECT_NE(first, "");
  EXPECT_EQ(first, trace_told(seeds_.first, "*WhatWasReported*"));
}

}  // namespace
}  // namespace penstock::sim
