// The Nth write or flush fails, for every N of a workload: once or from then on, with each error
// that a drive gives, or cut short. Nothing is ever called durable that is not, nothing that is
// gets lost, and the log goes on when the drive does.
#include <array>
#include <cerrno>
#include <chrono>

#include <gtest/gtest.h>

#include "tests/crash/lab.h"
#include "tests/lib/log_fixture.h"
#include "tests/lib/ring_in_front.h"
#include "tests/lib/sim_life.h"

namespace penstock {
namespace {

// ---- On a simulated drive
// ------------------------------------------------------------------------

constexpr std::uint64_t kOperations = 240;
constexpr std::uint64_t kOperationsLong = 5'000;
constexpr std::uint64_t kOperationsBehind = 40;
constexpr std::size_t kPayloadBytes = 30'000;

struct Sweep {
  const char* name;
  SimFault fault;
  bool for_ever;
};
constexpr std::array kSweeps{
    Sweep{"EIO once",             SimFault::kError,       false},
    Sweep{"EIO for ever",         SimFault::kError,       true },
    Sweep{"ENOSPC once",          SimFault::kNoSpace,     false},
    Sweep{"ENOSPC for ever",      SimFault::kNoSpace,     true },
    Sweep{"EINTR once",           SimFault::kInterrupted, false},
    Sweep{"EAGAIN once",          SimFault::kTryAgain,    false},
    Sweep{"short write once",     SimFault::kShortWrite,  false},
    Sweep{"short write for ever", SimFault::kShortWrite,  true },
    Sweep{"power cut",            SimFault::kPowerCut,    false},
};

SimLifeOptions options_of(Durability durability) {
  SimLifeOptions options;
  options.durability = durability;
  options.block_bytes = 32 * 1024;
  options.payload_bytes = kPayloadBytes;
  options.retention.max_bytes = 4 * kMiB;
  return options;
}

// Retention takes the oldest segments; one message is in each block.
std::uint64_t trimmed_by(const SimLife& life) {
  const auto& segments = life.segments();
  return segments.size() > 1 ? segments[1].header.base_sequence : 0;
}

// What is wrong after a failure at operation `n` and a power cut some time later.
std::string fail_at(std::uint64_t n, const Sweep& sweep, Durability durability) {
  SimClock clock;
  SimDrive drive(n + 1, clock, {});
  const SimLifeOptions options = options_of(durability);
  LogExpectation expected{.payload_bytes = kPayloadBytes};
  {
    SimLife life(drive, clock, n + 1, options);
    drive.fail_in(n, sweep.fault, sweep.for_ever);
    // Until it was met, and for some time on.
    const std::uint64_t end = drive.counters().operations + n + kOperationsBehind;
    for (std::uint64_t i = 0; i < 2'000 + 50 * n && drive.has_power(); ++i) {
      if (drive.counters().operations >= end) break;
      static_cast<void>(life.append());
      life.step();
    }
    expected.durable = life.durable();
    expected.appended = life.appended();
    expected.trimmed_max = trimmed_by(life);
  }
  drive.crash();
  drive.heal();
  if (std::string wrong = what_is_wrong(drive, expected); !wrong.empty()) return wrong;
  SimLife again(drive, clock, n + 2, options);
  const std::uint64_t found = again.durable();
  for (unsigned i = 0; i < 2'000 && again.durable() < found + 10; ++i) {
    static_cast<void>(again.append());
    again.step();
  }
  if (again.durable() < found + 10) return "the log does not go on";
  expected.durable = again.durable();
  expected.appended = again.appended();
  expected.trimmed_max = trimmed_by(again);
  return what_is_wrong(drive, expected);
}

TEST(IoFailure, AtAnyOperationLosesNothingThatWasDurableAndInventsNothing) {
  const lab::Budget budget;
  lab::Figure figure("io_failures_simulated");
  constexpr std::array kBoth{Durability::kSync, Durability::kFlush};
  constexpr std::uint64_t kKinds = kSweeps.size() * kBoth.size();
  lab::in_parallel([&](unsigned worker, unsigned workers) {
    Rng rng(lab::seed() + worker);
    const std::uint64_t end = kOperations * kKinds;
    for (std::uint64_t i = worker; budget.is_long() || i < end; i += workers) {
      if (budget.is_over() || figure.is_hopeless()) return;
      const std::uint64_t n = budget.is_long() ? rng.below(kOperationsLong) : i / kKinds;
      const Sweep& sweep = kSweeps[i % kSweeps.size()];
      const Durability durability = kBoth[i / kSweeps.size() % kBoth.size()];
      figure.count(fail_at(n, sweep, durability), [&] {
        return fmt::format("{} at operation {}, {}", sweep.name, n,
                           durability == Durability::kSync ? "sync" : "flush");
      });
    }
  });
}

// ---- On a real one
// -------------------------------------------------------------------------------

constexpr std::uint64_t kRealOperations = 24;
constexpr int kRealMessages = 60;
constexpr auto kPatience = std::chrono::seconds(20);

struct RealFault {
  const char* name;
  std::int32_t result;  // 0: half of what was to be written
  bool for_ever;
};
constexpr std::array kRealFaults{
    RealFault{"EIO once",         -EIO,    false},
    RealFault{"EIO for ever",     -EIO,    true },
    RealFault{"ENOSPC once",      -ENOSPC, false},
    RealFault{"EAGAIN once",      -EAGAIN, false},
    RealFault{"EINTR once",       -EINTR,  false},
    RealFault{"short write once", 0,       false},
};

// Says of the Nth operation that it failed, though the drive did it.
class FailingRing final : public RingInFront {
 public:
  FailingRing(std::unique_ptr<IoRing> ring, std::uint64_t n, const RealFault& fault)
      : RingInFront(std::move(ring)), n_(n), fault_(fault) {}
  std::size_t reap(std::span<IoCompletion> completions) override {
    const std::size_t count = RingInFront::reap(completions);
    for (IoCompletion& completion : completions.first(count)) {
      const std::uint64_t number = seen_++;
      if (number != n_ && !(fault_.for_ever && number > n_)) continue;
      const bool flush = completion.result == 0;
      completion.result = fault_.result != 0 ? fault_.result : flush ? -EIO : completion.result / 2;
    }
    return count;
  }

 private:
  std::uint64_t n_;
  RealFault fault_;
  std::uint64_t seen_ = 0;
};

// What is wrong with what a process finds behind one whose operation `n` failed.
std::string fail_really_at(std::uint64_t n, const RealFault& fault, Durability durability) {
  const TestFolder folder;
  LogFixtureOptions options{.block_bytes = 16 * 1024, .durability = durability};
  options.in_front = [&](std::unique_ptr<IoRing> ring) {
    return std::make_unique<FailingRing>(std::move(ring), n, fault);
  };
  std::uint64_t durable = 0;
  {
    LogFixture fixture(folder.path(), options);
    int appended = 0;
    // A drive that fails for good takes nothing more.
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (fixture.observer.messages < kRealMessages && std::chrono::steady_clock::now() < end) {
      const std::string payload = sim_payload(static_cast<std::uint64_t>(appended), 14'000);
      const bool room = appended < kRealMessages + 1;
      appended += room && fixture.try_append("a", payload) == Appended::kOk ? 1 : 0;
      fixture.step();
      const LogCounters& counters = fixture.log().counters();
      if (fault.for_ever && counters.write_errors + counters.flush_errors > 4) break;
    }
    durable = fixture.observer.messages;
    if (!fault.for_ever && durable < kRealMessages) return "the log does not go on";
  }
  lab::close_files_below(folder.path());
  const std::vector<std::string> payloads = read_payloads(folder.path());
  if (payloads.size() < durable) return fmt::format("{} of {} are there", payloads.size(), durable);
  for (std::uint64_t i = 0; i < payloads.size(); ++i) {
    if (payloads[i] != sim_payload(i, 14'000)) return fmt::format("message {} is another one", i);
  }
  return "";
}

TEST(IoFailure, AtAnyOperationOfARealRingLosesNothingThatWasDurable) {
  const lab::Budget budget;
  lab::Figure figure("io_failures_real_ring");
  constexpr std::array kBoth{Durability::kSync, Durability::kFlush};
  const std::uint64_t step = budget.is_long() ? 1 : 2;
  for (std::uint64_t n = lab::seed() % step; n < kRealOperations; n += step) {
    for (const RealFault& fault : kRealFaults) {
      for (const Durability durability : kBoth) {
        if (budget.is_over() || figure.is_hopeless()) return;
        figure.count(fail_really_at(n, fault, durability), [&] {
          return fmt::format("{} at operation {}, {}", fault.name, n,
                             durability == Durability::kSync ? "sync" : "flush");
        });
      }
    }
  }
}

}  // namespace
}  // namespace penstock
