// Starting DPDK's environment from a node's configuration, once a process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace penstock {

enum class HugepageUse : std::uint8_t { kAuto, kRequire, kNever };

struct EalOptions {
  std::string program = "penstockd";
  std::string file_prefix = "penstock";  // tells the node's DPDK from others on the host
  HugepageUse hugepages = HugepageUse::kAuto;
  std::uint64_t memory_bytes = 256ULL << 20U;
  int main_core = -1;                 // core of the calling thread; -1: any that no shard has
  std::vector<unsigned> shard_cores;  // core of each shard; the same core may appear more than once
  std::vector<std::string> devices;   // PCI addresses and virtual devices, each with its arguments
  std::vector<std::string> extra_args;
  bool quiet = true;  // DPDK's log from warnings upwards only
};

struct EalFacts {
  bool hugepages = false;              // false: plain pages; the caller warns
  std::vector<unsigned> shard_lcores;  // DPDK's lcore number of each shard
};

// kUnavailable with the reason when DPDK does not start (no hugepages although required, no
// permission). It is never stopped: rte_eal_cleanup() would unmap its memory under its interrupt
// thread, which may be looking at a memif connection that went a moment ago. All goes with the
// process.
[[nodiscard]] Result<EalFacts> start_eal(const EalOptions& options);

// Runs entry(self) on the lcore's thread. False: DPDK has no such lcore, or it is busy.
[[nodiscard]] bool run_on_lcore(unsigned lcore, int (*entry)(void*), void* self);
// Waits until what was run there has returned.
void wait_for_lcore(unsigned lcore);

// The processor's time stamp counter, for telling work from idling.
[[nodiscard]] std::uint64_t cycles_now();
[[nodiscard]] std::uint64_t cycles_per_second();

// "DPDK 22.11.11"
[[nodiscard]] std::string dpdk_version();

// Ports of a process at most.
inline constexpr std::size_t kPortsMax = 32;

// Cores that this process may run on, those that are online.
[[nodiscard]] std::vector<unsigned> usable_cores();

// The arguments that start_eal() gives DPDK; for tests and for the log.
[[nodiscard]] std::vector<std::string> eal_arguments(const EalOptions& options, bool hugepages);

// Free hugepages of the default size, in bytes.
[[nodiscard]] std::uint64_t free_hugepage_bytes();

}  // namespace penstock
