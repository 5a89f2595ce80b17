// A slot whose header says that it is free, while blocks in it were durable: the drive lost the
// write of the header of the segment that it holds.
#pragma once

#include <map>

#include "storage/recover/kept_segments.h"

namespace penstock {

// What the slots with a header hold of a log.
struct KnownBlocks {
  std::vector<KeptSegment> segments;  // oldest first, without void ones
  BlockSequence end{0};               // behind the last block
};

// Of a slot that is free by its header. Blocks of retired and void segments lie in such a slot too;
// they are older than what is kept, or known from another slot, or were never durable.
[[nodiscard]] Result<bool> has_lost_header(VolumeDevice& device, const Superblock& superblock,
                                           SlotIndex slot,
                                           const std::map<LogNumber, KnownBlocks>& known);

}  // namespace penstock
