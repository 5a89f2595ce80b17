// A simulated drive: files in memory, a volatile cache in front of them, delays and faults under a
// seed.
//
// - A write that is not durable completes into the cache. A flush makes stable what had completed
//   when the flush was queued; a durable write is stable when it completes.
// - An operation completes after a random delay, so in any order. Its buffer must not change
//   meanwhile.
// - A failed write may have reached any of its sectors. A failed flush has made any part of the
//   dirty data stable and lost the rest: the next flush succeeds and brings nothing back.
// - A misdirected write says that it is done, and has landed elsewhere in its file: what was there
//   is damaged, and what it was to replace still stands.
// - At a power cut every write that is not stable, in flight or in the cache, has reached all, some
//   or none of its sectors. When a process is killed only what is in flight is undecided; the cache
//   stays.
//
// The same seed and the same calls give the same bytes and the same trace().
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/rng.h"
#include "storage/ring/io_ring.h"

namespace penstock {

// How often things go wrong, per million operations of the kind.
struct SimFaultRates {
  std::uint32_t write_error = 0;
  std::uint32_t short_write = 0;
  std::uint32_t flush_error = 0;
  std::uint32_t no_space = 0;        // of file creations
  std::uint32_t slow = 0;            // operations that take up to slow_ns_max
  std::uint32_t partial_submit = 0;  // submissions of which the kernel takes only a part
  std::uint32_t read_error = 0;      // of blocking reads
  std::uint32_t misdirected = 0;     // of a ring's writes
};

struct SimDriveOptions {
  std::uint64_t capacity_bytes = 64 * kMiB;  // of all files but the first
  std::int64_t delay_ns_max = 400'000;
  std::int64_t slow_ns_max = 30'000'000;
  SimFaultRates rates;
};

enum class SimFault : std::uint8_t {
  kError,        // EIO
  kNoSpace,      // ENOSPC
  kInterrupted,  // EINTR
  kTryAgain,     // EAGAIN
  kShortWrite,   // of a write; a flush fails
  kPowerCut,     // nothing completes any more until crash()
};

struct SimDriveCounters {
  std::uint64_t operations = 0;   // writes and flushes
  std::uint64_t faults = 0;       // of any kind, power cuts left out
  std::uint64_t torn_writes = 0;  // at a crash: of which a part landed
  std::uint64_t lost_writes = 0;  // at a crash: of which nothing landed
  std::uint64_t creations = 0;
};

// One thread. Files have numbers; file 0 is not counted against the capacity.
class SimDrive {
 public:
  static constexpr std::size_t kSectorBytes = 512;

  SimDrive(std::uint64_t seed, Clock& clock, const SimDriveOptions& options);

  // Nothing goes wrong from now on.
  void heal();
  void set_read_errors(std::uint32_t per_million) { options_.rates.read_error = per_million; }
  // The write or flush that is `operations` after the next one goes wrong like this, or with
  // `for_ever` it and all that follow until heal().
  void fail_in(std::uint64_t operations, SimFault fault, bool for_ever = false);
  [[nodiscard]] bool has_power() const { return powered_; }

  // What a blocking caller does. A write is stable on return; a failed one may have reached any
  // sector.
  [[nodiscard]] Result<> create(int file, std::uint64_t bytes);
  [[nodiscard]] Result<> remove(int file);
  [[nodiscard]] bool exists(int file) const { return files_.contains(file); }
  [[nodiscard]] std::vector<int> files() const;
  [[nodiscard]] Result<> read(int file, std::uint64_t offset, std::span<std::byte> into);
  [[nodiscard]] Result<> write(int file, std::uint64_t offset, std::span<const std::byte> from);
  [[nodiscard]] Result<> sync(int file);
  [[nodiscard]] std::uint64_t free_bytes() const;
  [[nodiscard]] std::uint64_t total_bytes() const { return options_.capacity_bytes; }

  // What a ring does. `ring` tells the rings of one drive apart.
  struct Operation {
    unsigned ring = 0;
    std::uint64_t token = 0;
    int file = 0;
    std::uint64_t offset = 0;
    std::span<const std::byte> bytes;  // empty: a flush
    bool durable = false;
  };
  [[nodiscard]] unsigned add_ring() { return rings_++; }
  void start(const Operation& operation);
  [[nodiscard]] std::size_t finish(unsigned ring, std::span<IoCompletion> completions);
  [[nodiscard]] unsigned in_flight(unsigned ring) const;
  // Of `queued` operations, how many the kernel takes now.
  [[nodiscard]] std::size_t takes(std::size_t queued);

  // The process is gone: what its ring had in flight lands or does not.
  void kill(unsigned ring);
  // The power was cut and is back: only what is stable exists.
  void crash();

  // The same drive in a world of its own, where `seed` decides what becomes of writes that are not
  // stable.
  [[nodiscard]] SimDrive fork(std::uint64_t seed) const;
  // Called at each boundary: when an operation was started, and when one has had its effect.
  void watch(std::function<void()> watcher) { watcher_ = std::move(watcher); }
  // Whether any of these bytes may not be what was written last: a misdirected write hit or missed
  // them.
  [[nodiscard]] bool is_damaged(int file, std::uint64_t offset, std::uint64_t bytes) const;
  // A file's stable bytes, to be damaged.
  [[nodiscard]] std::span<std::byte> stable_bytes(int file) { return files_.at(file).stable; }

  [[nodiscard]] const SimDriveCounters& counters() const { return counters_; }
  // A hash of all that happened so far.
  [[nodiscard]] std::uint64_t trace() const { return trace_; }

 private:
  struct Dirty {
    std::uint64_t number;  // of completion
    std::uint64_t offset;
    std::uint64_t bytes;
  };
  struct File {
    std::vector<std::byte> stable;
    std::vector<std::byte> cached;  // what a reader sees; empty: the same as stable
    std::vector<Dirty> dirty;
    std::set<std::uint64_t> damaged;  // pages
  };
  struct Flight {
    Operation operation;
    std::vector<std::byte> copy;
    std::int64_t due_ns;
    std::uint64_t covers;  // a flush: completions before this one
    std::optional<SimFault> fault;
  };
  enum class Landing : std::uint8_t { kAll, kSome, kNone };

  std::optional<SimFault> next_fault(bool flush);
  void boundary() const {
    if (watcher_) watcher_();
  }
  [[nodiscard]] Landing draw_landing();
  [[nodiscard]] std::vector<bool> draw_sectors(std::uint64_t bytes, Landing landing);
  static void make_cache(File& file);
  void write_sectors(File& file, std::uint64_t offset, std::span<const std::byte> from,
                     Landing landing, bool stable);
  void lose_dirty(File& file);
  void settle(File& file, const Dirty& dirty, Landing landing);
  std::int32_t complete(Flight& flight);
  std::int32_t complete_write(Flight& flight);
  [[nodiscard]] std::uint64_t landing_place(File& file, const Operation& write);
  std::int32_t complete_flush(Flight& flight);
  void trace(std::uint64_t value);

  Rng rng_;
  Clock& clock_;
  SimDriveOptions options_;
  std::map<int, File> files_;
  std::vector<Flight> flights_;  // in the order in which they were started
  std::map<std::uint64_t, SimFault> planned_;
  std::optional<std::pair<std::uint64_t, SimFault>> failing_from_;
  std::function<void()> watcher_;
  std::uint64_t completions_ = 0;
  unsigned rings_ = 0;
  bool powered_ = true;
  SimDriveCounters counters_;
  std::uint64_t trace_ = 0;
};

}  // namespace penstock
