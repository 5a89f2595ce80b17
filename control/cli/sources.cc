#include "control/cli/sources.h"

#include <algorithm>

#include <fmt/format.h>

namespace penstock {

Result<std::unique_ptr<Volume>> open_read_only(const std::string& path) {
  auto device = open_volume_device(path, DeviceAccess::kReadOnly);
  if (!device) return std::unexpected(std::move(device.error()));
  auto volume = Volume::open(std::move(*device));
  if (!volume) return std::unexpected(std::move(volume.error()));
  return std::make_unique<Volume>(std::move(*volume));
}

Result<std::vector<Source>> open_sources(const CommandLine& line,
                                         const std::vector<std::string>& paths) {
  std::vector<std::pair<std::string, std::string>> wanted;  // name, path
  // A path that the configuration knows has its name there: the ledger speaks of names.
  const auto known = paths.empty() ? Config{} : load_config(line.config_path).value_or(Config{});
  for (const std::string& path : paths) {
    const auto volume = std::ranges::find(known.volumes, path, &VolumeConfig::path);
    wanted.emplace_back(volume == known.volumes.end() ? path : volume->name, path);
  }
  if (paths.empty()) {
    auto config = config_of(line);
    if (!config) return std::unexpected(std::move(config.error()));
    for (const VolumeConfig& volume : config->volumes) {
      if (volume.kind == VolumeKind::kStored) wanted.emplace_back(volume.name, volume.path);
    }
    if (wanted.empty()) {
      return fail(Errc::kNotFound,
                  fmt::format("{} declares no volume that stores anything", line.config_path));
    }
  }
  std::vector<Source> sources;
  for (auto& [name, path] : wanted) {
    auto volume = open_read_only(path);
    if (!volume) return std::unexpected(std::move(volume.error()));
    auto recovered = recover_volume(**volume);
    if (!recovered) return std::unexpected(std::move(recovered.error()));
    sources.push_back({name, std::move(*volume), std::move(*recovered)});
  }
  return sources;
}

}  // namespace penstock
