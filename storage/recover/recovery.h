// Finding out what a volume holds: after an orderly end, after kill -9, after a power cut.
//
// Closed segments are known by header and footer alone; only segments behind the newest whole index
// are read, slots whose header is unreadable or blank, and of free ones the first page, or all
// where that one is damaged, so the time depends on what was open and on what is damaged, not on
// what is stored. Nothing is written.
//
//   - a segment ends where the next one of its log begins (SegmentHeader::base_sequence)
//   - the log ends at the first bad block that no later block proves durable: a torn tail, cut off
//   - a bad block that a later block of the log proves durable is corruption: a finding, never
//     skipped in silence, never taken for the end
//   - no sequence and no offset is given again that a readable block of the volume has, wherever it
//     lies, or that a slot may have held of which nothing can be read any more: that stays a gap
#pragma once

#include <map>

#include "storage/log/log_writer.h"
#include "storage/recover/kept_segments.h"
#include "storage/volume/volume.h"

namespace penstock {

// In place of a slot: the volume's superblock and catalogue.
inline constexpr SlotIndex kVolumeHead{~std::uint32_t{0}};

struct Finding {
  enum class Kind : std::uint8_t {
    kTornTail,        // unproven blocks at a log's end, cut off: expected after a crash
    kUnreadable,      // the drive does not give these bytes, or the slot's file is too short
    kCorruptBlock,    // a durable block is damaged
    kCorruptHeader,   // a slot's header is unreadable
    kCorruptFooter,   // a footer or index is damaged; blocks are read instead
    kMissingSegment,  // a sequence number between two present ones is absent
    kUnusedNotBlank,  // bytes that nothing was ever written to are not zero
    kWrongCatalogue,  // a copy of the catalogue is damaged, or a stream has no name
    kWrongIndex,      // an index or footer does not say what the blocks say
    kWrongOffsets,    // a partition's offsets do not count up by one
    kCorruptSuperblock,
  };
  Kind kind;
  SlotIndex slot;        // or kVolumeHead
  std::uint64_t offset;  // bytes from the start of the slot
  std::uint64_t bytes;   // how much is affected
  std::string what;      // one line for people
};
[[nodiscard]] std::string_view to_string(Finding::Kind kind);

// Whether the finding is damage and not what a crash may leave.
[[nodiscard]] inline bool is_damage(const Finding& finding) {
  return finding.kind != Finding::Kind::kTornTail;
}

// Whether the drive does not give some of the slot.
[[nodiscard]] bool has_unreadable(const std::vector<Finding>& findings, SlotIndex slot);

struct RecoveredLog {
  LogStart start;
  std::vector<KeptSegment> segments;  // oldest first
  std::uint64_t messages = 0;         // in segments that had to be read
  // A slot without a readable header holds older blocks, which may have been kept, or may have held
  // some.
  bool lost_in_front = false;
  // The end of the log's last, unclosed segment: what a reader may read of it.
  LogWatermarks end;
};

struct RecoveredVolume {
  std::map<LogNumber, RecoveredLog> logs;
  // Where a log begins of which nothing was found: behind what slots may have held of it.
  LogStart new_log;
  std::vector<SlotIndex> free_slots;
  std::vector<SlotIndex> void_slots;  // free too, though their header says that they are used
  std::vector<SlotIndex> quarantined_slots;
  std::vector<Finding> findings;
  std::uint64_t bytes_read = 0;
};

// What was found of the log; where nothing was, it begins.
[[nodiscard]] RecoveredLog& find_or_begin(RecoveredVolume& volume, LogNumber log);

// Fails only when the device gives nothing at all, or kCorrupt when the superblock is of another
// volume than all slots; other damage is in the findings. A node may be writing, if the device is
// open for reading only: what it changes meanwhile is looked at again.
[[nodiscard]] Result<RecoveredVolume> recover_volume(Volume& volume);

}  // namespace penstock
