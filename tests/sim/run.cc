#include "tests/sim/run.h"

#include <array>

#include <fmt/format.h>

#include "storage/ring/io_ring_sim.h"
#include "storage/volume/device_sim.h"
#include "tests/sim/draws.h"
#include "tests/sim/node.h"
#include "tests/sim/read_along.h"
#include "tests/sim/traffic.h"

namespace penstock::sim {
namespace {

constexpr std::int64_t kMicrosecond = 1'000;
constexpr unsigned kStartsMax = 20;            // in a row that fail
constexpr std::uint32_t kReadErrors = 30'000;  // per million, for a reader
constexpr unsigned kDrainSteps = 20'000;
std::uint64_t seed_under_way = 0;

class Run {
 public:
  Run(std::uint64_t seed, test::PacketPool& pool, std::string ledger_path, const RunPlan& plan)
      : plan_(plan),
        rng_(seed),
        drive_(rng_.next(), clock_, drive_options()),
        queue_(256 + rng_.below(1024)),
        traffic_(rng_, oracle_, pool, queue_),
        ground_{clock_, rng_, queue_, oracle_, std::move(ledger_path)} {
    draw_node_options();
    if (misdirects_) oracle_.expect_damage(drive_);
  }

  Outcome go() {
    start_node();
    const std::uint64_t steps = plan_.steps.value_or(1000 + rng_.below(2200));
    for (std::uint64_t step = 0; step < steps && !oracle_.failed(); ++step) {
      live();
      if (!drive_.has_power() || rng_.chance(1'500) || step == plan_.crash_at) crash();
      if (rng_.chance(300)) end_in_order();
    }
    finish();
    Outcome outcome{.failure = oracle_.failure(),
                    .trace = drive_.trace() ^ oracle_.trace(),
                    .crashes = crashes_,
                    .faults = drive_.counters().faults,
                    .packets = traffic_.arrived(),
                    .reported = oracle_.reported_messages(),
                    .verified = oracle_.verified()};
    for (const ReadAlong& reader : readers_) {
      outcome.read += reader.records();
      outcome.gaps += reader.gaps();
    }
    return outcome;
  }

 private:
  SimDriveOptions drive_options() {
    SimDriveOptions options;
    options.capacity_bytes = (8 + rng_.below(24)) * kMiB;
    options.delay_ns_max = static_cast<std::int64_t>(20 + rng_.below(2000)) * kMicrosecond;
    options.rates.slow = 5'000;
    if (rng_.chance(700'000)) misdirects_ = draw_faults(rng_, options.rates);
    return options;
  }

  void draw_node_options() {
    constexpr std::array<std::uint32_t, 3> kBlockBytes{16 * 1024, 32 * 1024, 128 * 1024};
    options_.block_bytes = kBlockBytes[rng_.below(kBlockBytes.size())];
    options_.blocks = 3 + rng_.below(14);
    options_.queue_depth = 1 + static_cast<unsigned>(rng_.below(16));
    options_.linger_ns = static_cast<std::int64_t>(1 + rng_.below(3000)) * kMicrosecond;
    options_.durability = rng_.chance(500'000) ? Durability::kSync : Durability::kFlush;
    if (rng_.chance(300'000)) options_.retention.max_bytes = (4 + rng_.below(4)) * kMiB;
    if (rng_.chance(200'000)) options_.capacity_bytes = (4 + rng_.below(6)) * kMiB;
    ring_.entries = 4 + static_cast<unsigned>(rng_.below(60));
    ring_.files = 3;
  }

  // A node that cannot start, because the drive fails, is started again.
  void start_node() {
    for (unsigned i = 0; i < kStartsMax && !oracle_.failed(); ++i) {
      if (rng_.chance(50'000)) drive_.fail_in(rng_.below(8), SimFault::kPowerCut);
      auto started =
          Node::start(ground_, options_, make_sim_device(drive_), make_io_ring_sim(drive_, ring_));
      // The power may fail where the node can do without what it wanted to write.
      if (started && !drive_.has_power()) started = fail(Errc::kIoError, "no power");
      if (started) {
        node_ = std::move(*started);
        plan_fault();
        return;
      }
      if (started.error().code != Errc::kIoError && started.error().code != Errc::kNoSpace) {
        return oracle_.fail("the node does not start: " + started.error().what);
      }
      if (!drive_.has_power()) drive_.crash();
    }
    oracle_.fail("the node does not start");
  }

  // Something that goes wrong at a chosen operation of this life.
  void plan_fault() {
    constexpr std::array kFaults{SimFault::kError, SimFault::kShortWrite, SimFault::kPowerCut};
    if (rng_.chance(600'000)) {
      drive_.fail_in(rng_.below(600), kFaults[rng_.below(kFaults.size())]);
    }
  }

  void live() {
    clock_.advance(static_cast<std::int64_t>(rng_.below(200)) * kMicrosecond);
    if (rng_.chance(2'000)) {
      clock_.step_unix(static_cast<std::int64_t>(rng_.below(7'200)) * kNanosPerSecond -
                       3'600 * kNanosPerSecond);
    }
    if (rng_.chance(700'000)) traffic_.burst();
    if (rng_.chance(10'000)) queue_.set_transmit_room(rng_.below(4));
    if (rng_.chance(900'000)) node_->step_shard();
    if (rng_.chance(200'000)) node_->step_keeper();
    if (rng_.chance(50'000)) {
      // Of a drive that does not give all its bytes, too.
      const bool unreadable = misdirects_ && rng_.chance(200'000);
      if (unreadable) drive_.set_read_errors(kReadErrors);
      readers_[rng_.below(readers_.size())].step(node_->log().watermarks());
      drive_.set_read_errors(0);
    }
    check_books_if_due();
  }

  // Twice as often as they are published.
  void check_books_if_due() {
    if (clock_.monotonic_now() < books_at_) return;
    books_at_ = clock_.monotonic_now() + 500 * kMicrosecond;
    node_->publish();
    node_->check_books();
  }

  // Power cut or kill -9; what is left in the port's queue is gone with the process.
  void crash() {
    ++crashes_;
    const bool cut = !drive_.has_power() || rng_.chance(700'000);
    if (cut) drive_.crash();
    for (ReadAlong& reader : readers_) {
      if (cut || misdirects_ || rng_.chance(300'000)) reader.leave();
    }
    restart();
  }

  void restart() {
    node_.reset();
    queue_.clear();
    oracle_.lost_the_rest();
    start_node();
  }

  bool drain() {
    node_->take_rest();
    for (unsigned i = 0; i < kDrainSteps && drive_.has_power(); ++i) {
      if (node_->step_drain()) return true;
      while (node_->step_keeper()) {
      }
      clock_.advance(200 * kMicrosecond);
    }
    return false;
  }

  void end_in_order() {
    if (drain()) {
      node_->publish();
      node_->check_books();
      while (node_->step_keeper()) {
      }
    }
    if (!drive_.has_power()) return crash();
    restart();
  }

  // On a drive that works everything taken becomes durable, unless there is no room.
  void finish() {
    if (oracle_.failed()) return;
    drive_.heal();
    if (!drain() && !node_->keeper().status().full) {
      oracle_.fail(fmt::format("the node does not end: {} messages are in flight; {}",
                               node_->log().in_flight().messages,
                               node_->keeper().status().last_error));
    }
    node_->publish();
    node_->check_books();
    crash();
    for (ReadAlong& reader : readers_) {
      if (!oracle_.failed()) reader.read_all(node_->log().watermarks());
    }
    node_.reset();
  }

  RunPlan plan_;
  bool misdirects_ = false;
  SimClock clock_;
  Rng rng_;
  SimDrive drive_;
  SimQueue queue_;
  Oracle oracle_;
  Traffic traffic_;
  std::array<ReadAlong, 2> readers_{ReadAlong(rng_, oracle_, drive_),
                                    ReadAlong(rng_, oracle_, drive_)};
  NodeGround ground_;
  NodeOptions options_;
  SimRingOptions ring_;
  std::unique_ptr<Node> node_;
  MonotonicNanos books_at_{0};
  std::uint64_t crashes_ = 0;
};

}  // namespace

std::uint64_t running_seed() { return seed_under_way; }
void set_running_seed(std::uint64_t seed) { seed_under_way = seed; }

Outcome run(std::uint64_t seed, test::PacketPool& pool, const std::string& ledger_path,
            const RunPlan& plan) {
  set_running_seed(seed);
  Outcome outcome = Run(seed, pool, ledger_path, plan).go();
  if (outcome.failure.empty() && pool.in_use() != 0) {
    outcome.failure = fmt::format("{} packet buffers were lost", pool.in_use());
  }
  return outcome;
}

}  // namespace penstock::sim
