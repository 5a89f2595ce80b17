// Checks one slot, byte by byte. Every byte ends in one of three accounts:
//   checked     something vouches for it (a checksum, or that it must be blank): it was compared
//   unused      behind the last block of an open segment, or in a free slot: nothing is known of it
//               but that it is no block of this segment
//   unreadable  the drive does not give it, or what says where things are is damaged
#pragma once

#include <limits>

#include "storage/recover/recovery.h"
#include "storage/recover/segment_contents.h"

namespace penstock {

struct VerifyTotals {
  std::uint64_t segments = 0;
  std::uint64_t closed = 0;
  std::uint64_t open = 0;
  std::uint64_t blocks = 0;
  std::uint64_t messages = 0;
  std::uint64_t payload_bytes = 0;  // of each message once
  std::uint64_t bytes_checked = 0;
  std::uint64_t unused_bytes = 0;
  std::uint64_t unreadable_bytes = 0;

  VerifyTotals& operator+=(const VerifyTotals& other);
};

// What the rest of its log says of a segment.
struct SegmentContext {
  bool last = true;                                              // no later segment of its log
  BlockSequence end{std::numeric_limits<std::uint64_t>::max()};  // blocks from here on are void
  BlockSequence durable{0};  // blocks before it were durable: they have to be there
  bool gap_behind = false;   // a segment is missing between this one and the next
};

struct SegmentCheck {
  std::vector<Finding> findings;
  VerifyTotals totals;
  BlockSequence next{0};       // behind its last valid block
  std::uint32_t last_crc = 0;  // of that block
  bool whole = true;           // no block of it is damaged
};

// Damage is in the findings. An error: the slot is gone, or the drive gives nothing at all.
[[nodiscard]] Result<SegmentCheck> verify_segment(VolumeDevice& device,
                                                  const Superblock& superblock, SlotIndex slot,
                                                  const SegmentContext& context,
                                                  OffsetTrack& offsets);

}  // namespace penstock
