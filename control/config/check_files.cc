// The files that a configuration names, as the node reads them at its start.
#include "control/config/checking.h"
#include "dataplane/door/pdp/key_ring.h"

namespace penstock {

FileFindings check_named_files(const Config& config, const ConfigLines& lines) {
  Check wrong{config, lines, {}};
  Check odd{config, lines, {}};
  for (std::size_t i = 0; i < config.doors.size(); ++i) {
    const std::string& path = config.doors[i].pdp.keys;
    // What is no absolute path was refused already, and would be another file for the node.
    if (config.doors[i].kind != DoorKind::kPdp || !path.starts_with('/')) continue;
    const auto file = pdp::read_key_file(path);
    if (!file) {
      wrong.refuse(at("door", i, "pdp.keys"), file.error().what);
    } else if (!file->warning.empty()) {
      odd.refuse(at("door", i, "pdp.keys"), file->warning);
    }
  }
  return {.problems = std::move(wrong.problems), .warnings = std::move(odd.problems)};
}

}  // namespace penstock
