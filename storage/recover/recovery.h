// Finding out what a volume holds: after an orderly end, after kill -9, after a power cut.
//
// Closed segments are known by header and footer alone; only segments without a footer are read, so
// the time depends on what was open, not on what is stored. Nothing is written.
//
//   - a segment ends where the next one of its log begins (SegmentHeader::base_sequence)
//   - the log ends at the first bad block that no later block proves durable: a torn tail, cut off
//   - a bad block that a later block of the log proves durable is corruption: a finding, never
//   skipped
//     in silence, never taken for the end
#pragma once

#include <functional>
#include <map>

#include "storage/log/keeper.h"
#include "storage/log/log_writer.h"
#include "storage/volume/volume.h"

namespace penstock {

// In place of a slot: the volume's superblock and catalogue.
inline constexpr SlotIndex kVolumeHead{~std::uint32_t{0}};

struct Finding {
  enum class Kind : std::uint8_t {
    kTornTail,        // unproven blocks at a log's end, cut off: expected after a crash
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

// Whether the footer closes this very segment. Any other is a leftover.
[[nodiscard]] bool closes(const SegmentFooter& footer, const SegmentHeader& header);

struct RecoveredLog {
  LogStart start;
  std::vector<KeptSegment> segments;  // oldest first
  std::uint64_t messages = 0;         // in segments that had to be read
  // The end of the log's last, unclosed segment: what a reader may read of it.
  LogWatermarks end;
};

struct RecoveredVolume {
  std::map<LogNumber, RecoveredLog> logs;
  std::vector<SlotIndex> free_slots;
  std::vector<SlotIndex> quarantined_slots;
  std::vector<Finding> findings;
  std::uint64_t bytes_read = 0;
};

// Fails only when the device does; damage is in the findings.
[[nodiscard]] Result<RecoveredVolume> recover_volume(Volume& volume);

}  // namespace penstock
