// A configuration being checked: where its problems go. Shared by the files that check.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/config/check.h"

namespace penstock {

struct Check {
  const Config& config;
  const ConfigLines& lines;
  std::vector<ConfigProblem> problems;

  // At the line of the key, or of the section that lacks it; a file that lacks both is wrong from
  // its first line on.
  void refuse(const std::string& key, std::string what);
};

// "port[0].device"
[[nodiscard]] std::string at(std::string_view section, std::size_t i, std::string_view key);

// What a port says of itself, and beside the ports before it.
void check_port(Check& check, std::size_t i);
// Whether what a door listens to can reach it through any port.
void check_reachable(Check& check, std::size_t door, const std::string& text);

}  // namespace penstock
