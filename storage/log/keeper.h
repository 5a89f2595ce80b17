// The keeper of a volume: prepares slots ahead of need, keeps the list of segments, and retires the
// oldest by the retention rules. It does what may block, on a control thread, so that no shard ever
// does.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "storage/log/segment_channel.h"
#include "storage/log/slot_supply.h"
#include "storage/volume/volume.h"

namespace penstock {

// What may be deleted, and when. A rule that is 0 is not applied. Without any rule nothing is ever
// deleted: a full volume then stops admitting. With one, a full volume lets its oldest segment go.
// The oldest of a log goes first, and never its newest closed one.
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
  std::string last_error;  // what keeps the volume from being well; empty when all is
  std::uint64_t slots = 0;
  std::uint64_t free_slots = 0;
  std::uint64_t retired_segments = 0;
  // Not used: with an unreadable header, kept for inspection; or one that failed lately.
  std::uint64_t quarantined_slots = 0;
};

// One thread. The volume and channels outlive it.
class Keeper {
 public:
  // What a log needs at least: its newest closed segment, the open one, and the next.
  static constexpr std::uint64_t kSlotsMin = 3;

  Keeper(Volume& volume, const KeeperOptions& options, Clock& clock);

  // A log of this volume, with the segments that recovery found, oldest first. Without a channel
  // nobody writes it any more: only retention looks after it.
  void add_log(LogNumber number, SegmentChannel* channel, std::vector<KeptSegment> segments);
  // Slots that recovery found free; those whose segment is void, though their header says that it
  // is used; and those that it could not read.
  void add_free_slot(SlotIndex slot);
  void add_void_slot(SlotIndex slot);
  void add_quarantined_slot(SlotIndex slot);

  // Handles events, applies retention, prepares a slot for the log that has the fewest: a piece of
  // it when it has to be made. Returns whether anything was done; false means: nothing to do until
  // an event comes or time passes.
  bool step();

  // How many slots each log is to have ready from now on: fewer while it ends, 0 when it has.
  void set_ready_slots(unsigned count) { options_.ready_slots = count; }
  // Whether every log that is written has a slot to go on with.
  [[nodiscard]] bool all_have_slots() const;

  [[nodiscard]] const KeeperStatus& status() const { return status_; }
  [[nodiscard]] const std::vector<KeptSegment>& segments(LogNumber log) const;

 private:
  struct Log {
    SegmentChannel* channel;
    std::vector<KeptSegment> segments;  // oldest first
    unsigned ready = 0;                 // slots handed over and not yet taken
    unsigned failures = 0;              // to retire the oldest, in a row
    MonotonicNanos retire_at{0};        // not before: it failed
  };

  bool handle_events(Log& log);
  bool free_void_slot();
  [[nodiscard]] bool can_retire(const Log& log) const;
  [[nodiscard]] bool rules_allow_retiring() const;
  [[nodiscard]] bool is_due(const Log& log) const;
  [[nodiscard]] Log* log_to_shorten();
  bool retire_oldest(Log& log);
  bool keep_space_free();
  [[nodiscard]] std::optional<LogNumber> neediest() const;
  bool prepare_one();
  [[nodiscard]] Result<std::optional<SlotIndex>> take_slot();
  [[nodiscard]] Result<> mark_free(std::uint32_t log, SlotIndex slot);
  [[nodiscard]] Result<SlotFile> make_ready(LogNumber log, SlotIndex slot);
  void tell_shortage();
  void update_status();

  Volume& volume_;
  KeeperOptions options_;
  Clock& clock_;
  std::map<LogNumber, Log> logs_;
  SlotSupply supply_;
  // Segments that a younger one makes void: nothing is retired before they are free, or were tried
  // often. The last one failed so often, in a row, and is not tried before.
  std::vector<SlotIndex> void_;
  unsigned void_failures_ = 0;
  MonotonicNanos void_at_{0};
  LogNumber served_{0};         // got the last slot
  MonotonicNanos retry_at_{0};  // no slot is looked for before: there was none, or the drive failed
  MonotonicNanos space_at_{0};  // when the file system's free space is looked at next
  std::optional<Error> shortage_;  // why no slot could be prepared; nothing: one could
  std::string fault_;              // the last slot that failed, and how
  std::uint64_t quarantined_ = 0;
  KeeperStatus status_;
};

}  // namespace penstock
