#include "control/daemon/drive_interrupts.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include <fmt/format.h>

namespace penstock {
namespace {

namespace fs = std::filesystem;

constexpr int kLayersMax = 8;  // of devices on devices

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<unsigned> number_in(std::string_view text) {
  unsigned number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() ? std::optional(number) : std::nullopt;
}

std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
  std::vector<fs::directory_entry> entries;
  std::error_code error;
  auto at = fs::directory_iterator(folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) entries.push_back(*at);
  return entries;
}

// Collects the sysfs folders of the drives below a path.
class DriveSearch {
 public:
  explicit DriveSearch(const std::string& root) : root_(root) {}

  void follow_path(const std::string& path, int layers = kLayersMax) {
    struct stat st{};
    if (layers == 0 || stat(path.c_str(), &st) != 0) return;
    const dev_t device = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
    follow_block(fmt::format("{}/sys/dev/block/{}:{}", root_, major(device), minor(device)),
                 layers);
  }
  [[nodiscard]] const std::set<fs::path>& drives() const { return drives_; }

 private:
  void follow_block(const fs::path& link, int layers) {
    std::error_code error;
    const fs::path block = fs::canonical(link, error);
    if (error || layers == 0) return;
    const std::string backing = first_line(block / "loop/backing_file");
    if (!backing.empty()) return follow_path(backing, layers - 1);
    const auto parts = entries_of(block / "slaves");
    for (const auto& part : parts) follow_block(part.path(), layers - 1);
    if (!parts.empty()) return;
    // Multipath NVMe: the controllers stand beside the namespace, as links.
    if (block.parent_path().filename().string().starts_with("nvme-subsys")) {
      for (const auto& entry : entries_of(block.parent_path())) {
        const bool controller = entry.path().filename().string().starts_with("nvme");
        if (controller && entry.is_symlink(error)) drives_.insert(fs::canonical(entry, error));
      }
      return;
    }
    drives_.insert(block);
  }

  std::string root_;
  std::set<fs::path> drives_;
};

// The interrupts of a drive belong to the PCI function, some folders above it.
std::set<unsigned> interrupts_of(const fs::path& drive) {
  std::set<unsigned> numbers;
  for (fs::path at = drive; at.has_relative_path(); at = at.parent_path()) {
    const auto entries = entries_of(at / "msi_irqs");
    if (entries.empty()) continue;
    for (const auto& entry : entries) {
      if (const auto number = number_in(entry.path().filename().string())) numbers.insert(*number);
    }
    break;
  }
  return numbers;
}

// The cores that have taken each interrupt, from /proc/interrupts: "36:  0  8076 ...".
std::map<unsigned, std::set<unsigned>> cores_by_interrupt(const std::string& root) {
  std::map<unsigned, std::set<unsigned>> taken;
  std::ifstream interrupts(root + "/proc/interrupts");
  std::string line;
  std::getline(interrupts, line);
  std::vector<unsigned> columns;
  std::istringstream heads(line);
  for (std::string head; heads >> head;) {
    if (!head.starts_with("CPU")) continue;
    if (const auto core = number_in(std::string_view(head).substr(3))) columns.push_back(*core);
  }
  while (std::getline(interrupts, line)) {
    std::istringstream fields(line);
    std::string name;
    fields >> name;
    const auto number = number_in(name);
    if (!number) continue;
    for (const unsigned core : columns) {
      std::uint64_t count = 0;
      if (!(fields >> count)) break;
      if (count > 0) taken[*number].insert(core);
    }
  }
  return taken;
}

}  // namespace

std::set<unsigned> parse_core_list(const std::string& text) {
  std::set<unsigned> cores;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const auto first = number_in(part);
    if (!first) continue;
    const std::size_t dash = part.find('-');
    const auto last = dash == std::string::npos ? first : number_in(part.substr(dash + 1));
    for (unsigned core = *first; core <= last.value_or(*first); ++core) cores.insert(core);
  }
  return cores;
}

std::set<unsigned> drive_interrupt_cores(const std::vector<std::string>& paths,
                                         const std::string& root) {
  DriveSearch search(root);
  for (const std::string& path : paths) search.follow_path(path);
  const auto taken = cores_by_interrupt(root);
  std::set<unsigned> cores;
  for (const fs::path& drive : search.drives()) {
    for (const unsigned number : interrupts_of(drive)) {
      const auto found = taken.find(number);
      if (found == taken.end()) continue;
      // Where they went before somebody moved them does not count.
      const auto now = parse_core_list(
          first_line(fmt::format("{}/proc/irq/{}/effective_affinity_list", root, number)));
      const auto& goes_to = now.empty() ? found->second : now;
      cores.insert(goes_to.begin(), goes_to.end());
    }
  }
  return cores;
}

}  // namespace penstock
