#include "control/daemon/shard_thread.h"

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>

#include <csignal>
#include <ctime>

#include "control/config/doors.h"
#include "dataplane/port/quiescence.h"
#include "dataplane/shard/block_memory.h"
#include "storage/ring/io_ring_linux.h"

namespace penstock {
namespace {

// An adaptive shard that had nothing to do for the first time sleeps for the second, again and again.
constexpr std::uint64_t kIdleNs = 100'000;
constexpr long kSleepNs = 20'000;

// After this long without an end a drive that does not answer is given up.
constexpr std::int64_t kDrainNs = 10 * kNanosPerSecond;

void sleep_briefly() {
  const timespec time{.tv_sec = 0, .tv_nsec = kSleepNs};
  nanosleep(&time, nullptr);
}

Result<std::unique_ptr<IoRing>> make_ring(const VolumeConfig& volume) {
  if (volume.kind == VolumeKind::kNull) return make_io_ring_null();
  return make_io_ring_linux({.entries = 2 * volume.queue_depth + 8,
                             .files = 16,
                             .kernel_polling = volume.kernel_polling});
}

// Everything of one shard, in the order in which it depends on each other.
class ShardWorld {
 public:
  ShardWorld(ShardPlan& plan, Clock& clock, BlockMemory memory, std::unique_ptr<IoRing> ring)
      : accounts_{plan.queues.size(), plan.doors.size(), plan.streams.size()},
        area_(*plan.area),
        memory_(std::move(memory)),
        pool_(memory_.bytes(), plan.volume.block_bytes),
        ring_(std::move(ring)),
        rng_(Rng::from_kernel()),
        intake_(area_.account<MessageAccount>(accounts_.shard()), door_accounts()),
        log_(log_options(plan), plan.start, pool_, *ring_, *plan.channel, clock, rng_, intake_),
        router_(streams_of(plan), [this](auto streams) { return add_set(streams); }) {
    intake_.set_log(log_);
    for (const StreamConfig& stream : plan.streams) stream_ids_.push_back(stream_id(stream.name));
  }

  Result<> open_doors(const ShardPlan& plan) {
    if (auto known = ring_->register_memory(pool_.memory()); !known) return known;
    for (std::size_t i = 0; i < plan.doors.size(); ++i) {
      auto subject = subject_of(plan.doors[i]);
      if (!subject) return std::unexpected(std::move(subject.error()));
      std::vector<ListenAddress> where;
      for (const std::string& text : plan.doors[i].listen) {
        auto parsed = parse_listen_address(text);
        if (!parsed) return std::unexpected(std::move(parsed.error()));
        where.push_back(*parsed);
      }
      DoorOptions options{.number = i,
                          .name = plan.doors[i].name,
                          .protocol = protocol_of(plan.doors[i]),
                          .port = where.size() == 1 ? where[0].port : std::uint16_t{0},
                          .subject = std::move(*subject)};
      doors_.push_back(std::make_unique<Door>(std::move(options), router_,
                                              area_.account<MessageAccount>(accounts_.door(i))));
      for (const ListenAddress& address : where) {
        if (auto added = map_.add(address, *doors_.back()); !added) return added;
      }
    }
    return {};
  }

  [[nodiscard]] ShardParts parts(const ShardPlan& plan, Clock& clock) {
    ShardParts parts{.number = plan.number,
                     .clock = &clock,
                     .log = &log_,
                     .pool = &pool_,
                     .intake = &intake_,
                     .doors = &map_,
                     .area = &area_,
                     .gauges = &gauges(),
                     .edge = &area_.account<LogEdge>(accounts_.edge())};
    for (std::size_t i = 0; i < plan.queues.size(); ++i) {
      parts.ports.push_back({.queue = plan.queues[i].queue,
                             .frame = plan.queues[i].frame,
                             .account = &area_.account<PortAccount>(accounts_.port(i))});
    }
    return parts;
  }

  [[nodiscard]] ShardGauges& gauges() { return area_.account<ShardGauges>(accounts_.gauges()); }

 private:
  static LogOptions log_options(const ShardPlan& plan) {
    const bool sync = plan.volume.durability == DurabilityConfig::kSync;
    return {.volume = plan.volume_id,
            .log = LogNumber(plan.number),
            .segment_bytes = plan.volume.segment_bytes,
            .block_bytes = plan.volume.block_bytes,
            .queue_depth = plan.volume.queue_depth,
            .linger_ns = plan.volume.linger_ns,
            .durability = sync ? Durability::kSync : Durability::kFlush};
  }

  // The configuration was checked: its filters parse.
  static std::vector<Stream> streams_of(const ShardPlan& plan) {
    std::vector<Stream> streams;
    for (const StreamConfig& stream : plan.streams) {
      Stream made{.name = stream.name, .filters = {}};
      for (const std::string& subject : stream.subjects) {
        made.filters.push_back(SubjectFilter::parse(subject).value());
      }
      streams.push_back(std::move(made));
    }
    return streams;
  }

  std::vector<MessageAccount*> door_accounts() {
    std::vector<MessageAccount*> all;
    for (std::size_t i = 0; i < accounts_.doors; ++i) {
      all.push_back(&area_.account<MessageAccount>(accounts_.door(i)));
    }
    return all;
  }

  Result<CaptureSetId> add_set(std::span<const std::size_t> streams) {
    std::vector<StreamId> ids;
    std::vector<MessageAccount*> accounts;
    for (const std::size_t i : streams) {
      ids.push_back(stream_ids_[i]);
      accounts.push_back(&area_.account<MessageAccount>(accounts_.stream(i)));
    }
    auto set = log_.add_capture_set(ids);
    if (set) intake_.add_set(*set, std::move(accounts));
    return set;
  }

  ShardAccounts accounts_;
  LedgerArea& area_;
  BlockMemory memory_;
  BlockPool pool_;
  std::unique_ptr<IoRing> ring_;
  Rng rng_;
  Intake intake_;
  LogWriter log_;
  std::vector<StreamId> stream_ids_;
  StreamRouter router_;
  std::vector<std::unique_ptr<Door>> doors_;
  DoorMap map_;
};

Result<std::unique_ptr<ShardWorld>> make_world(ShardPlan& plan, Clock& clock) {
  auto memory = BlockMemory::take(plan.volume.memory, plan.hugepages);
  if (!memory) return std::unexpected(std::move(memory.error()));
  if (plan.hugepages && !memory->hugepages()) {
    spdlog::warn("shard {}: too few hugepages for its {} MiB of blocks; using plain pages",
                 plan.number, plan.volume.memory / kMiB);
  }
  auto ring = make_ring(plan.volume);
  if (!ring) return std::unexpected(std::move(ring.error()));
  auto world = std::make_unique<ShardWorld>(plan, clock, std::move(*memory), std::move(*ring));
  if (auto opened = world->open_doors(plan); !opened) {
    return std::unexpected(std::move(opened.error()));
  }
  return world;
}

}  // namespace

ShardThread::~ShardThread() {
  stop();
  if (launched_) rte_eal_wait_lcore(plan_.lcore);
}

Result<> ShardThread::start() {
  auto started = started_.get_future();
  if (rte_eal_remote_launch(&ShardThread::entry, this, plan_.lcore) != 0) {
    return fail(Errc::kUnavailable, fmt::format("shard {}: DPDK has no lcore {} for it",
                                                plan_.number, plan_.lcore));
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
  auto world = make_world(plan_, clock_);
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
  gauges.tsc_hz = rte_get_tsc_hz();
  const std::uint64_t idle_limit = gauges.tsc_hz / 1'000'000 * (kIdleNs / 1'000);
  std::uint64_t begin = rte_rdtsc();
  std::uint64_t last_work = begin;
  while (!stop_.load(std::memory_order_relaxed)) {
    const bool worked = shard.step();
    report_quiescent(plan_.number);
    std::uint64_t end = rte_rdtsc();
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
        end = rte_rdtsc();
      }
    }
    begin = end;
  }
}

void ShardThread::drain(Shard& shard) {
  shard.take_rest();
  const MonotonicNanos deadline = clock_.monotonic_now() + kDrainNs;
  while (!shard.step_drain()) {
    report_quiescent(plan_.number);
    if (clock_.monotonic_now() > deadline) {
      all_durable_ = false;
      break;
    }
  }
  shard.publish();
}

}  // namespace penstock
