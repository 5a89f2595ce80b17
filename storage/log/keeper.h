// The keeper of a volume: prepares slots ahead of need, keeps the list of segments, and retires the
// oldest by the retention rules. It does what may block, on a control thread, so that no shard ever
// does.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "storage/log/segment_channel.h"
#include "storage/volume/volume.h"

namespace penstock {

// What may be deleted, and when. A rule that is 0 is not applied. Without any rule nothing is ever
// deleted: a full volume then stops admitting. The oldest segment goes first, and
// never a log's newest closed one.
struct Retention {
  std::uint64_t max_bytes = 0;       // of a log's slots
  std::int64_t max_age_ns = 0;       // since a segment's last message
  std::uint64_t min_free_bytes = 0;  // of the file system, for others: slots are given back to it
};

struct KeeperOptions {
  std::uint64_t capacity_bytes = 0;  // of all slots of the volume; 0: as much as the device has
  unsigned ready_slots = 2;          // kept ready for each log
  Retention retention;
};

struct KeptSegment {
  SegmentHeader header;
  bool closed = false;  // footer is valid
  SegmentFooter footer{};
};

struct KeeperStatus {
  bool full = false;       // a log waits for a slot and there is none to give
  std::string last_error;  // why not, or what failed last; empty when all is well
  std::uint64_t slots = 0;
  std::uint64_t free_slots = 0;
  std::uint64_t retired_segments = 0;
  std::uint64_t quarantined_slots = 0;  // unreadable header: kept for inspection, never reused
};

// One thread. The volume and channels outlive it.
class Keeper {
 public:
  Keeper(Volume& volume, const KeeperOptions& options, Clock& clock);

  // A log of this volume, with the segments that recovery found, oldest first. Without a channel
  // nobody writes it any more: only retention looks after it.
  void add_log(LogNumber log, SegmentChannel* channel, std::vector<KeptSegment> segments);
  // Slots that recovery found free, and those it could not read.
  void add_free_slot(SlotIndex slot);
  void add_quarantined_slot(SlotIndex slot);

  // Handles events, applies retention, prepares at most one slot. Returns whether anything was
  // done; false means: nothing to do until an event comes or time passes.
  bool step();

  [[nodiscard]] const KeeperStatus& status() const { return status_; }
  [[nodiscard]] const std::vector<KeptSegment>& segments(LogNumber log) const;

 private:
  struct Log {
    SegmentChannel* channel;
    std::vector<KeptSegment> segments;  // oldest first
    unsigned ready = 0;                 // slots handed over and not yet taken
  };

  void know_slot(SlotIndex slot);
  bool handle_events(Log& log);
  [[nodiscard]] static bool can_retire(const Log& log);
  [[nodiscard]] bool rules_allow_retiring() const;
  bool retire_by_rule(LogNumber number, Log& log);
  [[nodiscard]] Result<> retire_oldest(LogNumber number, Log& log);
  bool keep_space_free();
  void release(SlotIndex slot);
  bool prepare_one(LogNumber number, Log& log);
  [[nodiscard]] Result<SlotIndex> free_slot(LogNumber number, Log& log);
  [[nodiscard]] Result<SlotIndex> make_new_slot();
  [[nodiscard]] Result<> mark_free(LogNumber log, SlotIndex slot);
  [[nodiscard]] Result<SlotFile> make_ready(LogNumber log, SlotIndex slot);

  Volume& volume_;
  KeeperOptions options_;
  Clock& clock_;
  std::map<LogNumber, Log> logs_;
  std::vector<SlotIndex> free_;
  std::vector<SlotIndex> removed_;  // their numbers are used again
  SlotIndex next_new_slot_{0};
  MonotonicNanos retry_at_{0};  // after the drive was full or failed
  MonotonicNanos space_at_{0};  // when the file system's free space is looked at next
  KeeperStatus status_;
};

}  // namespace penstock
