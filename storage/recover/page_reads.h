// Reading from a drive that may not give every page.
#pragma once

#include <vector>

#include "storage/volume/volume_device.h"

namespace penstock {

// Fills `into` with the slot's pages from `first` on. Where the drive fails, or the slot's file
// ends too early, it is asked page by page: the pages that it does not give are zeros, and are
// returned.
//
// An error only when nothing can be said of the slot: it is not there (kNotFound), it may not be
// read, or the drive gives nothing at all, not even the volume's head.
[[nodiscard]] Result<std::vector<std::uint32_t>> read_pages(VolumeDevice& device, SlotIndex slot,
                                                            std::uint32_t first,
                                                            std::span<std::byte> into);

}  // namespace penstock
