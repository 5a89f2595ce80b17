// The offline check of a whole volume: every byte of every slot is accounted for, every block is
// compared with its place, its predecessor, its index and its partitions' offsets. Nothing is
// written, and nothing is taken from recovery: the two are to find the same by different ways.
#pragma once

#include <map>
#include <vector>

#include "storage/recover/segment_check.h"

namespace penstock {

// total.bytes_checked + unused_bytes + unreadable_bytes = slots * segment_bytes
struct VerifyReport {
  std::vector<Finding> findings;  // kTornTail is expected after a crash; every other kind is damage
  VerifyTotals total;             // free slots included
  std::map<LogNumber, VerifyTotals> logs;
  std::uint64_t slots = 0;
  std::uint64_t free_slots = 0;
};

// The device may be opened kReadOnly; nobody else should be writing. Fails only when the device
// does: damage is in the findings.
[[nodiscard]] Result<VerifyReport> verify_volume(Volume& volume);

// Whether the finding is damage and not what a crash may leave.
[[nodiscard]] inline bool is_damage(const Finding& finding) {
  return finding.kind != Finding::Kind::kTornTail;
}

}  // namespace penstock
