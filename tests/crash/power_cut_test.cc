// A power cut at every boundary of a workload: before and after every write and every flush, those
// of the keeper too. At each one the world is forked, the fork loses power, and what is on its
// drive is judged: nothing that had been reported durable is missing, nothing was invented, the
// order is kept, and `verify` has nothing to complain about.
#include "tests/crash/lab.h"
#include "tests/lib/sanitized.h"
#include "tests/lib/sim_life.h"

namespace penstock {
namespace {

constexpr std::uint64_t kWrites = test::kSanitized ? 150 : 2'000;
constexpr std::size_t kPayloadBytes = 14'000;

// Forks at each boundary at which something was different from the one before.
class PowerCuts {
 public:
  PowerCuts(Durability durability, std::uint64_t seed)
      : seed_(seed), drive_(seed, clock_, drive_options()) {
    options_.durability = durability;
    options_.payload_bytes = kPayloadBytes;
    options_.retention.max_bytes = 3 * kMiB;
  }

  void run() {
    SimLife life(drive_, clock_, seed_, options_);
    life_ = &life;
    drive_.watch([this] { cut(); });
    while (drive_.counters().operations < kWrites && failed_ == 0) {
      static_cast<void>(life.append());
      life.step();
    }
    drive_.watch(nullptr);
    closed_ = life.log().counters().segments_closed;
    life_ = nullptr;
  }

  [[nodiscard]] std::uint64_t cases() const { return cases_; }
  [[nodiscard]] std::uint64_t failed() const { return failed_; }
  [[nodiscard]] std::uint64_t closed() const { return closed_; }

 private:
  static SimDriveOptions drive_options() {
    SimDriveOptions options;
    options.capacity_bytes = 8 * kMiB;
    return options;
  }

  void cut() {
    ++cases_;
    SimDrive fork = drive_.fork(seed_ + cases_);
    fork.crash();
    const std::string wrong = what_is_wrong(fork, expected());
    if (wrong.empty()) return;
    ++failed_;
    ADD_FAILURE() << "seed " << seed_ << ", cut " << cases_ << " ("
                  << (options_.durability == Durability::kSync ? "sync" : "flush") << "): " << wrong
                  << "; again: " << lab::replay();
  }

  // Retention may be about to take the oldest segment.
  [[nodiscard]] LogExpectation expected() const {
    LogExpectation expected{
        .durable = life_->durable(), .appended = life_->appended(), .payload_bytes = kPayloadBytes};
    const auto& segments = life_->segments();
    // One message a block.
    if (segments.size() > 1) expected.trimmed_max = segments[1].header.base_sequence;
    return expected;
  }

  std::uint64_t seed_;
  SimClock clock_;
  SimDrive drive_;
  SimLifeOptions options_;
  SimLife* life_ = nullptr;
  std::uint64_t cases_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t closed_ = 0;
};

void cut_everywhere(Durability durability, const char* name) {
  PowerCuts cuts(durability, lab::seed());
  cuts.run();
  fmt::print("FIGURE name=power_cuts_{} cases={} failed={}\n", name, cuts.cases(), cuts.failed());
  if (test::kSanitized) return;
  EXPECT_GT(cuts.closed(), 8U) << "segments were closed, and their slots used again";
}

TEST(PowerCut, AtEveryBoundaryWithSynchronousWrites) { cut_everywhere(Durability::kSync, "sync"); }
TEST(PowerCut, AtEveryBoundaryWithFlushes) { cut_everywhere(Durability::kFlush, "flush"); }

}  // namespace
}  // namespace penstock
