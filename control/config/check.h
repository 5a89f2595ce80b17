// What can be wrong with a configuration although each value by itself is right.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/config/config.h"

namespace penstock {

// Where in the file a key ("port[0].device") or a section ("port[0]") stands.
using ConfigLines = std::map<std::string, unsigned>;

// All problems, in the order of the file's sections; their file is left empty.
[[nodiscard]] std::vector<ConfigProblem> check_config(const Config& config,
                                                      const ConfigLines& lines);

// What the node will find in the files that the configuration names; reads them.
struct FileFindings {
  std::vector<ConfigProblem> problems;
  std::vector<ConfigProblem> warnings;
};
[[nodiscard]] FileFindings check_named_files(const Config& config, const ConfigLines& lines);

}  // namespace penstock
