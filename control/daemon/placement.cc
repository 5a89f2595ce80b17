#include "control/daemon/placement.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "dataplane/port/eal.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "0-3,8" as the kernel writes core lists.
std::set<unsigned> parse_core_list(const std::string& text) {
  std::set<unsigned> cores;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    unsigned first = 0;
    unsigned last = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), first);
    if (parsed.ec != std::errc()) continue;
    last = first;
    if (*parsed.ptr == '-') std::from_chars(parsed.ptr + 1, part.data() + part.size(), last);
    for (unsigned core = first; core <= last; ++core) cores.insert(core);
  }
  return cores;
}

// The sysfs folder of the drive that a path lies on, or empty.
fs::path drive_of(const std::string& path, const std::string& root) {
  struct stat st{};
  if (stat(path.c_str(), &st) != 0) return {};
  const dev_t device = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
  std::error_code error;
  fs::path block = fs::canonical(
      fmt::format("{}/sys/dev/block/{}:{}", root, major(device), minor(device)), error);
  if (error) return {};
  const fs::path backing = block / "loop/backing_file";
  if (fs::exists(backing, error)) {
    const std::string file = first_line(backing);
    return file == path ? fs::path{} : drive_of(file, root);
  }
  return block;
}

// Cores on which an interrupt has been taken, from its line in /proc/interrupts: "36:  0  8076
// ...".
std::set<unsigned> cores_of_interrupts(const std::set<unsigned>& numbers, const std::string& root) {
  std::set<unsigned> cores;
  std::ifstream interrupts(root + "/proc/interrupts");
  std::string line;
  std::getline(interrupts, line);
  std::vector<unsigned> columns;
  std::istringstream heads(line);
  for (std::string head; heads >> head;) {
    columns.push_back(static_cast<unsigned>(std::stoul(head.substr(3))));  // "CPU0"
  }
  while (std::getline(interrupts, line)) {
    std::istringstream fields(line);
    std::string number;
    fields >> number;
    unsigned n = 0;
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), n);
    if (parsed.ec != std::errc() || !numbers.contains(n)) continue;
    for (const unsigned core : columns) {
      std::uint64_t count = 0;
      if (!(fields >> count)) break;
      if (count > 0) cores.insert(core);
    }
  }
  return cores;
}

}  // namespace

std::set<unsigned> drive_interrupt_cores(const std::vector<std::string>& paths,
                                         const std::string& root) {
  std::set<unsigned> numbers;
  for (const std::string& path : paths) {
    // The interrupts belong to the PCI function, some folders above the block device.
    std::error_code error;
    for (fs::path at = drive_of(path, root); at.has_relative_path(); at = at.parent_path()) {
      if (!fs::is_directory(at / "msi_irqs", error)) continue;
      for (const auto& entry : fs::directory_iterator(at / "msi_irqs", error)) {
        numbers.insert(static_cast<unsigned>(std::stoul(entry.path().filename().string())));
      }
      break;
    }
  }
  return cores_of_interrupts(numbers, root);
}

HostCores host_cores(const std::vector<std::string>& volume_paths) {
  HostCores host;
  host.usable = usable_cores();
  host.isolated = parse_core_list(first_line("/sys/devices/system/cpu/isolated"));
  // Isolated cores are outside of the default affinity and yet meant for us.
  for (const unsigned core : host.isolated) host.usable.push_back(core);
  std::ranges::sort(host.usable);
  host.usable.erase(std::unique(host.usable.begin(), host.usable.end()), host.usable.end());
  host.drive = drive_interrupt_cores(volume_paths);
  return host;
}

Result<> check_core(std::string_view key, unsigned core, const HostCores& host) {
  if (std::ranges::find(host.usable, core) != host.usable.end()) return {};
  return fail(Errc::kInvalidArgument,
              fmt::format("{} = {} is not a core of this process; it may run on {}", key, core,
                          fmt::join(host.usable, ", ")));
}

Result<Placement> place_shards(const std::vector<int>& wanted, const HostCores& host) {
  Placement placement;
  std::set<unsigned> taken;
  for (std::size_t shard = 0; shard < wanted.size(); ++shard) {
    if (wanted[shard] < 0) continue;
    const auto core = static_cast<unsigned>(wanted[shard]);
    if (auto there = check_core(fmt::format("shard[{}].core", shard), core, host); !there) {
      return std::unexpected(std::move(there.error()));
    }
    taken.insert(core);
    if (host.drive.contains(core)) {
      placement.warnings.push_back(fmt::format(
          "shard {} polls on core {}, which takes a drive's interrupts: writes will complete late. "
          "Choose another core, leave shard[{}].core out, or move the interrupts "
          "(/proc/irq/N/smp_affinity_list)",
          shard, core, shard));
    }
  }
  const bool all_take_interrupts =
      std::ranges::all_of(host.usable, [&](unsigned core) { return host.drive.contains(core); });
  std::vector<unsigned> order;  // isolated cores first, then the highest: core 0 has the most other
                                // work
  for (const unsigned core : host.usable) {
    if (all_take_interrupts || !host.drive.contains(core)) order.push_back(core);
  }
  std::ranges::sort(order, [&](unsigned a, unsigned b) {
    return std::pair(!host.isolated.contains(a), b) < std::pair(!host.isolated.contains(b), a);
  });
  std::size_t next = 0;
  for (std::size_t shard = 0; shard < wanted.size(); ++shard) {
    if (wanted[shard] >= 0) {
      placement.cores.push_back(static_cast<unsigned>(wanted[shard]));
      continue;
    }
    const auto free_core =
        std::ranges::find_if(order, [&](unsigned core) { return !taken.contains(core); });
    unsigned core = 0;
    if (free_core != order.end()) {
      core = *free_core;
      taken.insert(core);
    } else {
      core = order[next++ % order.size()];
      placement.warnings.push_back(fmt::format(
          "shard {} shares core {} with another shard: there is no other core", shard, core));
    }
    placement.cores.push_back(core);
  }
  for (const unsigned core : placement.cores) {
    placement.isolated.push_back(host.isolated.contains(core));
  }
  return placement;
}

}  // namespace penstock
