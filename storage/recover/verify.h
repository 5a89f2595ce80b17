// The offline check of a whole volume: every byte of head and slots is accounted for, every block
// is compared with its place, its predecessor, its index and its partitions' offsets. Nothing is
// written, and what is damaged is not taken from recovery: the two are to find the same by
// different ways.
#pragma once

#include <map>
#include <vector>

#include "storage/recover/segment_check.h"

namespace penstock {

// total.bytes_checked + unused_bytes + unreadable_bytes = slots * segment_bytes
struct VerifyReport {
  std::vector<Finding> findings;  // not all is damage: is_damage()
  VerifyTotals total;             // free slots included
  std::map<LogNumber, VerifyTotals> logs;
  std::uint64_t slots = 0;
  std::uint64_t free_slots = 0;
};

// The device may be opened kReadOnly; nobody else should be writing. Damage is in the findings,
// that of the superblock too. kNotFound: blank; kUnsupportedVersion; else fails only when the
// device gives nothing at all.
[[nodiscard]] Result<VerifyReport> verify_volume(VolumeDevice& device);

}  // namespace penstock
