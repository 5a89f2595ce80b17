// What makes a slot's pages a segment of a log, and how the segments of a log share its blocks: the
// same for recovery, verify and readers.
#pragma once

#include <set>
#include <span>
#include <vector>

#include "storage/format/volume.h"
#include "storage/log/keeper.h"

namespace penstock {

// Whether the header was made for this slot of this volume.
[[nodiscard]] bool belongs_to(const SegmentHeader& header, const Superblock& superblock,
                              SlotIndex slot);
// Whether the footer closes this very segment. Any other is in the wrong place.
[[nodiscard]] bool closes(const SegmentFooter& footer, const SegmentHeader& header);

// The block behind the last one of a closed segment.
[[nodiscard]] inline BlockSequence behind(const SegmentFooter& footer) {
  return BlockSequence(footer.base_sequence + footer.block_count);
}

// The log's blocks in each of its segments (oldest first) come before this one: those that a later
// segment has again, because a write failed here, are void.
[[nodiscard]] std::vector<BlockSequence> ends_of(std::span<const KeptSegment> segments);

// Those that are not void as a whole: a later segment that begins at the same block or before it
// has all that such a one was to hold. Its slot was given up after a failed write or a crash, and
// is free whatever its header still says: it is added to `void_slots`. `segments`: oldest first.
[[nodiscard]] std::vector<KeptSegment> without_void(std::vector<KeptSegment> segments,
                                                    std::vector<SlotIndex>& void_slots);

// The sequences of those behind which the next number is left out: a segment that was void, or that
// is missing. `segments`: oldest first.
[[nodiscard]] std::set<std::uint64_t> gaps_behind(std::span<const KeptSegment> segments);

// Whether the log once ended in the segment, in front of block `missing` and behind one with this
// checksum, though the next segment begins with a later number: recovery left out those of blocks
// in slots without a readable header. What a crash left behind that place was never part of the
// log.
[[nodiscard]] bool ended_before(std::span<const KeptSegment> segments, std::size_t number,
                                BlockSequence missing, std::uint32_t previous_crc);

// Whether a block of one of these segments, which are behind it, says that this one was durable.
[[nodiscard]] Result<bool> any_proves(VolumeDevice& device, std::span<const KeptSegment> segments,
                                      BlockSequence durable);

// Whether the segment's slot holds another one by now.
[[nodiscard]] Result<bool> was_used_again(VolumeDevice& device, const SegmentHeader& header);

// The index of a closed segment, from all the bytes up to the footer.
struct IndexRead {
  std::size_t bytes_read = 0;
  std::vector<std::uint32_t> unreadable;  // pages that the drive does not give
  Result<SegmentIndex> index;
};
[[nodiscard]] Result<IndexRead> read_index(VolumeDevice& device, SlotIndex slot,
                                           const SegmentFooter& footer);

}  // namespace penstock
