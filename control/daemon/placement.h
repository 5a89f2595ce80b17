// Which core each shard polls on. A poller on a core that takes a drive's interrupts delays the
// drive's completions by milliseconds: such a core is never chosen, and one that was configured is
// reported.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penstock {

struct HostCores {
  std::vector<unsigned> usable;  // that this process may run on
  std::set<unsigned> isolated;   // by isolcpus
  std::set<unsigned> drive;      // take a drive's interrupts
};
[[nodiscard]] HostCores host_cores(const std::vector<std::string>& volume_paths);

// Whether the core that this key names is usable; the error says which are.
[[nodiscard]] Result<> check_core(std::string_view key, unsigned core, const HostCores& host);

struct Placement {
  std::vector<unsigned> cores;        // one for each shard
  std::vector<bool> isolated;         // by isolcpus: nobody else runs there
  std::vector<std::string> warnings;  // for the log
};

// `wanted[i]` is a core number or -1: chosen, isolated cores first, each at most once while there
// are others. `main_core` is the control thread's, or -1. Fails when a wanted core is not usable,
// naming the shard and the cores that are.
[[nodiscard]] Result<Placement> place_shards(const std::vector<int>& wanted, int main_core,
                                             const HostCores& host);

}  // namespace penstock
