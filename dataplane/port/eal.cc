#include "dataplane/port/eal.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_version.h>

#include "dataplane/port/device.h"

namespace penstock {
namespace {

// DPDK keeps pointers into its argument vector: it lives as long as the process.
std::vector<std::string>& argument_storage() {
  static std::vector<std::string> arguments;
  return arguments;
}

// Where the main thread may run. Only where there is no other core it shares one with a shard.
std::vector<unsigned> main_cores(const EalOptions& options) {
  if (options.main_core >= 0) return {static_cast<unsigned>(options.main_core)};
  const std::vector<unsigned> usable = usable_cores();
  std::vector<unsigned> free;
  for (const unsigned core : usable) {
    if (std::ranges::find(options.shard_cores, core) == options.shard_cores.end()) {
      free.push_back(core);
    }
  }
  return free.empty() ? usable : free;
}

std::string lcore_map(const EalOptions& options) {
  std::string map = fmt::format("0@({})", fmt::join(main_cores(options), ","));
  for (std::size_t i = 0; i < options.shard_cores.size(); ++i) {
    map += fmt::format(",{}@{}", i + 1, options.shard_cores[i]);
  }
  return map;
}

}  // namespace

std::vector<unsigned> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<unsigned> cores;
  for (unsigned core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

std::uint64_t free_hugepage_bytes() {
  // "HugePages_Free:      512", "Hugepagesize:       2048 kB"
  std::ifstream meminfo("/proc/meminfo");
  std::uint64_t pages = 0;
  std::uint64_t page_kib = 0;
  for (std::string line; std::getline(meminfo, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "HugePages_Free:") words >> pages;
    if (key == "Hugepagesize:") words >> page_kib;
  }
  return pages * page_kib * 1024;
}

std::vector<std::string> eal_arguments(const EalOptions& options, bool hugepages) {
  std::vector<std::string> arguments{
      options.program,
      "--lcores",
      lcore_map(options),
      "--file-prefix",
      options.file_prefix,
      "-m",
      fmt::format("{}", (options.memory_bytes + (1U << 20U) - 1) >> 20U)};
  // No file in the hugepage mount outlives a killed process, and no other process is in the way.
  arguments.emplace_back(hugepages ? "--in-memory" : "--no-shconf");
  if (!hugepages) arguments.emplace_back("--no-huge");
  if (options.quiet) {
    arguments.emplace_back("--log-level");
    arguments.emplace_back("warning");
  }
  bool pci = false;
  for (const std::string& device : options.devices) {
    pci |= is_pci_address(device);
    arguments.emplace_back(is_pci_address(device) ? "--allow" : "--vdev");
    arguments.push_back(device);
  }
  if (!pci) arguments.emplace_back("--no-pci");
  arguments.insert(arguments.end(), options.extra_args.begin(), options.extra_args.end());
  return arguments;
}

Result<EalFacts> start_eal(const EalOptions& options) {
  const std::uint64_t free_bytes = free_hugepage_bytes();
  const bool enough = free_bytes >= options.memory_bytes;
  if (options.hugepages == HugepageUse::kRequire && !enough) {
    return fail(
        Errc::kUnavailable,
        fmt::format("{} MiB of hugepages are required and {} MiB are free; reserve them with "
                    "'sysctl vm.nr_hugepages=N' or set dpdk.hugepages = \"auto\"",
                    options.memory_bytes >> 20U, free_bytes >> 20U));
  }
  EalFacts facts;
  facts.hugepages = options.hugepages != HugepageUse::kNever && enough;
  argument_storage() = eal_arguments(options, facts.hugepages);
  std::vector<char*> argv;
  for (std::string& argument : argument_storage()) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    return fail(Errc::kUnavailable,
                fmt::format("DPDK did not start: {}; its own message is above. Arguments: {}",
                            rte_strerror(rte_errno), fmt::join(argument_storage(), " ")));
  }
  for (unsigned i = 0; i < options.shard_cores.size(); ++i) facts.shard_lcores.push_back(i + 1);
  return facts;
}

bool run_on_lcore(unsigned lcore, int (*entry)(void*), void* self) {
  return rte_eal_remote_launch(entry, self, lcore) == 0;
}

void wait_for_lcore(unsigned lcore) { rte_eal_wait_lcore(lcore); }

std::uint64_t cycles_now() { return rte_rdtsc(); }

std::uint64_t cycles_per_second() { return rte_get_tsc_hz(); }

std::string dpdk_version() { return rte_version(); }

}  // namespace penstock
