// The volumes that a command reads: those of a configuration, or named by path; opened read-only,
// so that a running node is not disturbed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/cli/command.h"
#include "storage/recover/recovery.h"

namespace penstock {

struct Source {
  std::string name;  // in the configuration; the path when that does not know it
  std::unique_ptr<Volume> volume;
  RecoveredVolume recovered;
};

// `paths` empty: all stored volumes of the configuration.
[[nodiscard]] Result<std::vector<Source>> open_sources(const CommandLine& line,
                                                       const std::vector<std::string>& paths);

[[nodiscard]] Result<std::unique_ptr<Volume>> open_read_only(const std::string& path);

}  // namespace penstock
