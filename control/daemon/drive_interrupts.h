// Which cores take the interrupts of drives: found in sysfs and /proc.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace penstock {

// Cores to which the interrupts of the drives under these paths (directories or block devices) go
// now, of those that have ever come. Partitions, loop devices, LVM, md and NVMe multipath are
// followed to the drives. Empty for a path whose drive is not known (tmpfs, a network's).
[[nodiscard]] std::set<unsigned> drive_interrupt_cores(const std::vector<std::string>& paths,
                                                       const std::string& root = "");

// "0-3,8" as the kernel writes core lists.
[[nodiscard]] std::set<unsigned> parse_core_list(const std::string& text);

}  // namespace penstock
