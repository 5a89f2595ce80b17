#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/lib/log_fixture.h"
#include "tests/lib/sanitized.h"
#include "tests/sim/producer_run.h"
#include "tests/sim/seeds.h"
#include "tests/sim/trace_told.h"

namespace penstock::sim {
namespace {

constexpr std::uint64_t kSeeds = test::kSanitized ? 20 : 400;
constexpr std::uint64_t kSeedsTwice = test::kSanitized ? 2 : 10;

class ProducerSimulation : public testing::Test {
 protected:
  ProducerOutcome run_seed(std::uint64_t seed) {
    return run_producers(seed, pool_, folder_.path() + "/ledger");
  }

  Seeds seeds_{kSeeds};
  test::PacketPool pool_{4095, 2048};
  TestFolder folder_;
};

void add(ProducerOutcome& sum, const ProducerOutcome& outcome) {
  sum.trace = (sum.trace ^ outcome.trace) * 0x9E3779B97F4A7C15ULL;
  sum.crashes += outcome.crashes;
  sum.orderly_ends += outcome.orderly_ends;
  sum.disk_faults += outcome.disk_faults;
  sum.packets += outcome.packets;
  sum.packets_lost += outcome.packets_lost;
  sum.packets_damaged += outcome.packets_damaged;
  sum.messages += outcome.messages;
  sum.acknowledged += outcome.acknowledged;
  sum.verified += outcome.verified;
  sum.producers_killed += outcome.producers_killed;
  sum.takeovers += outcome.takeovers;
  sum.moves += outcome.moves;
  sum.closed_at_end += outcome.closed_at_end;
  sum.full_at_end += outcome.full_at_end;
}

void tell(const ProducerOutcome& sum, std::uint64_t seeds, std::uint64_t failed) {
  const auto figure = [&](std::string_view name, std::uint64_t cases) {
    fmt::print("FIGURE name=sim_producers_{} cases={} failed={}\n", name, cases, failed);
  };
  figure("seeds", seeds);
  figure("crashes", sum.crashes);
  figure("orderly_ends", sum.orderly_ends);
  figure("disk_faults", sum.disk_faults);
  figure("packets", sum.packets);
  figure("packets_lost", sum.packets_lost);
  figure("packets_damaged", sum.packets_damaged);
  figure("messages", sum.messages);
  figure("messages_acknowledged", sum.acknowledged);
  figure("messages_verified", sum.verified);
  figure("producers_killed", sum.producers_killed);
  figure("takeovers", sum.takeovers);
  figure("moves", sum.moves);
  figure("sessions_closed", sum.closed_at_end);
  figure("ends_with_a_full_volume", sum.full_at_end);
}

TEST_F(ProducerSimulation, WhatWasAcknowledgedIsThereOnceAndInOrderAfterEveryCrash) {
  ProducerOutcome sum;
  std::uint64_t failed = 0;
  std::uint64_t done = 0;
  for (; done < seeds_.count && !seeds_.time_is_up(); ++done) {
    const std::uint64_t seed = seeds_.first + done;
    const ProducerOutcome outcome = run_seed(seed);
    add(sum, outcome);
    if (outcome.failure.empty()) continue;
    ++failed;
    ADD_FAILURE() << "seed " << seed << ": " << outcome.failure << "; again: PENSTOCK_SEED=" << seed
                  << " build/release/tests/sim --gtest_filter=*WhatWasAcknowledged*";
  }
  fmt::print("trace of {} seeds from {} on: {:016x}\n", done, seeds_.first, sum.trace);
  tell(sum, done, failed);
  if (done < 10) return;  // a seed alone may lack one of these
  EXPECT_GT(sum.acknowledged, 0U);
  EXPECT_GT(sum.verified, 0U);
  EXPECT_GT(sum.crashes, 0U);
  EXPECT_GT(sum.disk_faults, 0U);
  EXPECT_GT(sum.packets_lost, 0U);
  EXPECT_GT(sum.packets_damaged, 0U);
  EXPECT_GT(sum.moves, 0U);
}

TEST_F(ProducerSimulation, TheSameSeedGivesTheSameTrace) {
  const std::uint64_t count = std::min(seeds_.count, kSeedsTwice);
  std::uint64_t different = 0;
  for (std::uint64_t seed = seeds_.first; seed < seeds_.first + count; ++seed) {
    different += run_seed(seed).trace == run_seed(seed).trace ? 0U : 1U;
  }
  fmt::print("FIGURE name=sim_producers_replays cases={} failed={}\n", count, different);
  EXPECT_EQ(different, 0U);
}

TEST_F(ProducerSimulation, AnotherProcessGivesTheSameTrace) {
  const std::string first = trace_told(seeds_.first, "*WhatWasAcknowledged*");
  EXPECT_NE(first, "");
  EXPECT_EQ(first, trace_told(seeds_.first, "*WhatWasAcknowledged*"));
}

}  // namespace
}  // namespace penstock::sim
