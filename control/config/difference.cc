// Where two configurations differ.
#include "control/config/config.h"

namespace penstock {

std::vector<std::string> differing_sections(const Config& one, const Config& other) {
  std::vector<std::string> differing;
  const auto compare = [&](const auto& a, const auto& b, std::string section) {
    if (a != b) differing.push_back(std::move(section));
  };
  compare(one.node, other.node, "[node]");
  compare(one.dpdk, other.dpdk, "[dpdk]");
  compare(one.ports, other.ports, "[[port]]");
  compare(one.shards, other.shards, "[[shard]]");
  compare(one.volumes, other.volumes, "[[volume]]");
  compare(one.doors, other.doors, "[[door]]");
  return differing;
}

}  // namespace penstock
