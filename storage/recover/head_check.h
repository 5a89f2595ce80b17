// Checks a volume's head, byte by byte: superblock, both copies of the catalogue, and zeros.
#pragma once

#include <optional>

#include "storage/recover/recovery.h"

namespace penstock {

struct HeadCheck {
  std::optional<Superblock> superblock;  // nothing: damaged, and so it is found
  Catalogue catalogue;                   // the newest whole copy
  std::vector<Finding> findings;
};

// kNotFound: the head is blank; kUnsupportedVersion: nothing of the volume can be checked. Else an
// error only when the device gives nothing at all.
[[nodiscard]] Result<HeadCheck> check_head(VolumeDevice& device);

// What the superblock has to have said, by the headers of the slots; nothing when none is readable.
[[nodiscard]] std::optional<Superblock> superblock_by_slots(VolumeDevice& device);

}  // namespace penstock
