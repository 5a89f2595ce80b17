#include "control/daemon/shard_thread.h"

#include <sys/prctl.h>

#include <csignal>
#include <ctime>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "dataplane/port/eal.h"
#include "dataplane/port/quiescence.h"

namespace penstock {
namespace {

// An adaptive shard that had nothing to do for the first time sleeps for the second, again and
// again.
constexpr std::uint64_t kIdleNs = 100'000;
constexpr long kSleepNs = 20'000;

// After this long without an end a drive that does not answer is given up.
constexpr std::int64_t kDrainNs = 10 * kNanosPerSecond;

void sleep_briefly() {
  const timespec time{.tv_sec = 0, .tv_nsec = kSleepNs};
  nanosleep(&time, nullptr);
}

}  // namespace

ShardThread::~ShardThread() {
  stop();
  if (launched_) wait_for_lcore(plan_.lcore);
}

Result<> ShardThread::start() {
  auto started = started_.get_future();
  if (!run_on_lcore(plan_.lcore, &ShardThread::entry, this)) {
    return fail(Errc::kUnavailable,
                fmt::format("shard {}: DPDK has no lcore {} for it", plan_.number, plan_.lcore));
  }
  launched_ = true;
  return started.get();
}

int ShardThread::entry(void* self) {
  static_cast<ShardThread*>(self)->run();
  return 0;
}

void ShardThread::run() {
  // Signals are the control thread's business, and sleeps are to be as short as they say.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  prctl(PR_SET_TIMERSLACK, 1);
  auto world = ShardWorld::make(plan_, clock_);
  if (!world) {
    world.error().what = fmt::format("shard {}: {}", plan_.number, world.error().what);
    ended_.store(true, std::memory_order_release);
    return started_.set_value(std::unexpected(std::move(world.error())));
  }
  Shard shard((*world)->parts(plan_, clock_));
  shard.publish();
  enter_polling(plan_.number);
  started_.set_value({});
  poll(shard, (*world)->gauges());
  drain(shard);
  leave_polling(plan_.number);
  // release: pairs with ended(), so that all_durable_ is seen.
  ended_.store(true, std::memory_order_release);
}

void ShardThread::poll(Shard& shard, ShardGauges& gauges) {
  gauges.tsc_hz = cycles_per_second();
  const std::uint64_t idle_limit = gauges.tsc_hz / 1'000'000 * (kIdleNs / 1'000);
  std::uint64_t begin = cycles_now();
  std::uint64_t last_work = begin;
  while (!stop_.load(std::memory_order_relaxed)) {
    const bool worked = shard.step();
    report_quiescent(plan_.number);
    std::uint64_t end = cycles_now();
    const std::uint64_t cycles = end - begin;
    ++gauges.loops;
    if (worked) {
      ++gauges.busy_loops;
      gauges.busy_cycles += cycles;
      if (cycles > gauges.longest_loop_cycles) gauges.longest_loop_cycles = cycles;
      last_work = end;
    } else {
      gauges.idle_cycles += cycles;
      if (!plan_.busy && end - last_work > idle_limit) {
        sleep_briefly();
        end = cycles_now();
      }
    }
    begin = end;
  }
}

void ShardThread::drain(Shard& shard) {
  shard.take_rest();
  const MonotonicNanos deadline = clock_.monotonic_now() + kDrainNs;
  while (!shard.step_drain() && clock_.monotonic_now() <= deadline) {
    report_quiescent(plan_.number);
  }
  all_durable_ = shard.all_durable();
  shard.publish();
}

}  // namespace penstock
