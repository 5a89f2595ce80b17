// What lies in the pages of a slot that belong to no block.
#pragma once

#include "storage/format/segment.h"
#include "storage/volume/volume_device.h"

namespace penstock {

struct UnusedSpace {
  std::uint32_t first = 0;                // page that is not blank
  std::uint32_t end = 0;                  // behind the last page that is not; 0: all are blank
  bool leftover = false;                  // blocks of an earlier use of the slot are to be seen
  std::vector<std::uint32_t> unreadable;  // pages that the drive does not give
};

// Pages [from, to) of the slot that `header` is of, or would be.
[[nodiscard]] Result<UnusedSpace> read_unused(VolumeDevice& device, const SegmentHeader& header,
                                              std::uint32_t from, std::uint32_t to);

}  // namespace penstock
