#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/lib/log_fixture.h"
#include "tests/sim/run.h"

namespace penstock::sim {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kSeeds = 20;
constexpr std::uint64_t kSeedsTwice = 2;
#else
constexpr std::uint64_t kSeeds = 300;
constexpr std::uint64_t kSeedsTwice = 15;
#endif

std::optional<std::uint64_t> number_from(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  return std::stoull(text);
}

class Simulation : public testing::Test {
 protected:
  Outcome run_seed(std::uint64_t seed) { return run(seed, pool_, folder_.path() + "/ledger"); }

  test::PacketPool pool_{4095, 2048};
  TestFolder folder_;
};

// PENSTOCK_SEED runs one seed, PENSTOCK_SIM_SEEDS as many as it says.
TEST_F(Simulation, WhatWasReportedDurableIsThereOnceAndInOrderAfterEveryCrash) {
  const auto chosen = number_from("PENSTOCK_SEED");
  const std::uint64_t first = chosen.value_or(1);
  const std::uint64_t seeds = chosen ? 1 : number_from("PENSTOCK_SIM_SEEDS").value_or(kSeeds);
  Outcome sum;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const Outcome outcome = run_seed(seed);
    sum.crashes += outcome.crashes;
    sum.faults += outcome.faults;
    sum.packets += outcome.packets;
    sum.reported += outcome.reported;
    sum.verified += outcome.verified;
    if (outcome.failure.empty()) continue;
    ++failed;
    ADD_FAILURE() << "seed " << seed << ": " << outcome.failure
                  << "; again: make sim SEED=" << seed;
  }
  fmt::print("FIGURE name=sim_seeds cases={} failed={}\n", seeds, failed);
  fmt::print("FIGURE name=sim_crashes cases={} failed={}\n", sum.crashes, failed);
  fmt::print("FIGURE name=sim_disk_faults cases={} failed={}\n", sum.faults, failed);
  fmt::print("FIGURE name=sim_packets cases={} failed={}\n", sum.packets, failed);
  fmt::print("FIGURE name=sim_messages_reported_durable cases={} failed={}\n", sum.reported,
             failed);
  fmt::print("FIGURE name=sim_messages_verified cases={} failed={}\n", sum.verified, failed);
}

TEST_F(Simulation, TheSameSeedGivesTheSameTrace) {
  const std::uint64_t first = number_from("PENSTOCK_SEED").value_or(1);
  std::uint64_t different = 0;
  for (std::uint64_t seed = first; seed < first + kSeedsTwice; ++seed) {
    different += run_seed(seed).trace == run_seed(seed).trace ? 0U : 1U;
  }
  fmt::print("FIGURE name=sim_replays cases={} failed={}\n", kSeedsTwice, different);
  EXPECT_EQ(different, 0U);
}

}  // namespace
}  // namespace penstock::sim
