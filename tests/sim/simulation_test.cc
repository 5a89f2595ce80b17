#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/lib/log_fixture.h"
#include "tests/sim/run.h"

namespace penstock::sim {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kSeeds = 20;
constexpr std::uint64_t kSeedsTwice = 2;
constexpr std::uint64_t kCrashSteps = 20;
#else
constexpr std::uint64_t kSeeds = 300;
constexpr std::uint64_t kSeedsTwice = 10;
constexpr std::uint64_t kCrashSteps = 400;
#endif
constexpr std::uint64_t kStepsBehindCrash = 60;

std::string environment(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? "" : text;
}

// PENSTOCK_SEED=N runs one seed and tells its trace; PENSTOCK_SEEDS=FIRST:COUNT runs as many as it
// says, and with PENSTOCK_SOAK_SECONDS=N no more than that time holds.
struct Seeds {
  Seeds() {
    const std::string one = environment("PENSTOCK_SEED");
    const std::string some = environment("PENSTOCK_SEEDS");
    const std::string seconds = environment("PENSTOCK_SOAK_SECONDS");
    if (!one.empty()) {
      first = std::stoull(one);
      count = 1;
    } else if (!some.empty()) {
      first = std::stoull(some);
      count = std::stoull(some.substr(some.find(':') + 1));
    }
    if (!seconds.empty()) end = Time::now() + std::chrono::seconds(std::stoll(seconds));
    chosen = !one.empty();
  }
  [[nodiscard]] bool time_is_up() const { return Time::now() >= end; }

  using Time = std::chrono::steady_clock;
  std::uint64_t first = 1;
  std::uint64_t count = kSeeds;
  bool chosen = false;
  Time::time_point end = Time::time_point::max();
};

class Simulation : public testing::Test {
 protected:
  Outcome run_seed(std::uint64_t seed, const RunPlan& plan = {}) {
    return run(seed, pool_, folder_.path() + "/ledger", plan);
  }

  Seeds seeds_;
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

// The trace that another process, with other addresses, tells of the seed.
std::string trace_told(std::uint64_t seed) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return "";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  setenv("PENSTOCK_SEED", std::to_string(seed).c_str(), 1);
  std::string self = "sim";
  std::string filter = "--gtest_filter=*WhatWasReported*";
  const std::array<char*, 3> words{self.data(), filter.data(), nullptr};
  pid_t child = 0;
  const int spawned =
      posix_spawn(&child, "/proc/self/exe", &actions, nullptr, words.data(), environ);
  unsetenv("PENSTOCK_SEED");
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string trace;
  FILE* said = fdopen(ends[0], "r");
  std::array<char, 256> line;
  while (std::fgets(line.data(), line.size(), said) != nullptr) {
    const std::string_view text(line.data());
    if (text.starts_with("trace of")) trace = text;
  }
  std::fclose(said);
  int status = -1;
  return spawned == 0 && waitpid(child, &status, 0) == child && status == 0 ? trace : "";
}

TEST_F(Simulation, AnotherProcessGivesTheSameTrace) {
  const std::string first = trace_told(seeds_.first);
  EXPECT_NE(first, "");
  EXPECT_EQ(first, trace_told(seeds_.first));
}

}  // namespace
}  // namespace penstock::sim
