#include "control/daemon/placement.h"

#include <algorithm>
#include <fstream>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/daemon/drive_interrupts.h"
#include "dataplane/port/eal.h"

namespace penstock {
namespace {

// Gives shards their cores, wanted ones first, then the best that are left.
class Placer {
 public:
  Placer(const std::vector<int>& wanted, int main_core, const HostCores& host)
      : wanted_(wanted), main_core_(main_core), host_(host) {
    spared_ = !std::ranges::all_of(host.usable, [&](unsigned core) { return takes_drive(core); });
    for (const unsigned core : host.usable) {
      if (!spared_ || !takes_drive(core)) order_.push_back(core);
    }
    // Isolated cores first, then the highest: core 0 has the most other work.
    std::ranges::sort(order_, [&](unsigned a, unsigned b) {
      return std::pair(!host.isolated.contains(a), b) < std::pair(!host.isolated.contains(b), a);
    });
    for (const int core : wanted) {
      if (core >= 0) ++shards_on_[static_cast<unsigned>(core)];
    }
    if (main_core >= 0) ++shards_on_[static_cast<unsigned>(main_core)];
  }

  Placement place() {
    for (std::size_t shard = 0; shard < wanted_.size(); ++shard) {
      const bool chosen = wanted_[shard] < 0;
      const unsigned core = chosen ? choose() : static_cast<unsigned>(wanted_[shard]);
      placed_.cores.push_back(core);
      placed_.isolated.push_back(host_.isolated.contains(core));
      if (takes_drive(core)) warn_of_drive(shard, core);
    }
    for (std::size_t shard = 0; shard < wanted_.size(); ++shard) warn_of_sharing(shard);
    return std::move(placed_);
  }

 private:
  [[nodiscard]] bool takes_drive(unsigned core) const { return host_.drive.contains(core); }

  // The first of those with the fewest on them.
  unsigned choose() {
    const unsigned core =
        *std::ranges::min_element(order_, {}, [&](unsigned each) { return shards_on_[each]; });
    ++shards_on_[core];
    return core;
  }

  void warn_of_drive(std::size_t shard, unsigned core) {
    placed_.warnings.push_back(fmt::format(
        "shard {} polls on core {}, which takes a drive's interrupts: writes will complete late. "
        "{} (/proc/irq/N/smp_affinity_list)",
        shard, core,
        spared_
            ? fmt::format("Choose another core, leave shard[{}].core out, or move the "
                          "interrupts",
                          shard)
            : "Every usable core takes some: move the interrupts to one that no shard polls on"));
  }

  void warn_of_sharing(std::size_t shard) {
    const unsigned core = placed_.cores[shard];
    std::string with;
    for (std::size_t other = 0; other < shard; ++other) {
      if (placed_.cores[other] == core) with = fmt::format("shard {}", other);
    }
    if (with.empty() && main_core_ == static_cast<int>(core)) with = "dpdk.main_core";
    if (with.empty()) return;
    placed_.warnings.push_back(fmt::format(
        "shard {} shares core {} with {}: each gets a part of it. {}", shard, core, with,
        wanted_[shard] >= 0
            ? fmt::format("Give shard[{}].core another one, or leave it out", shard)
            : "There are fewer usable cores without a drive's interrupts than shards"));
  }

  const std::vector<int>& wanted_;
  int main_core_;
  const HostCores& host_;
  bool spared_ = false;  // there are cores without a drive's interrupts
  std::vector<unsigned> order_;
  std::map<unsigned, unsigned> shards_on_;
  Placement placed_;
};

}  // namespace

HostCores host_cores(const std::vector<std::string>& volume_paths) {
  HostCores host;
  host.usable = usable_cores();
  std::string isolated;
  std::getline(std::ifstream("/sys/devices/system/cpu/isolated"), isolated);
  host.isolated = parse_core_list(isolated);
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

Result<Placement> place_shards(const std::vector<int>& wanted, int main_core,
                               const HostCores& host) {
  for (std::size_t shard = 0; shard < wanted.size(); ++shard) {
    if (wanted[shard] < 0) continue;
    const auto core = static_cast<unsigned>(wanted[shard]);
    if (auto there = check_core(fmt::format("shard[{}].core", shard), core, host); !there) {
      return std::unexpected(std::move(there.error()));
    }
  }
  return Placer(wanted, main_core, host).place();
}

}  // namespace penstock
