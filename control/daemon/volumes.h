// The volumes of a node: opened (made where they are blank), locked, recovered, and kept.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/config/config.h"
#include "storage/log/keeper.h"
#include "storage/recover/recovery.h"

namespace penstock {

// One volume while the node runs. Used by the control thread only.
struct RunningVolume {
  VolumeConfig config;
  std::unique_ptr<Volume> volume;
  std::unique_ptr<Keeper> keeper;
  RecoveredVolume recovered;
  std::map<LogNumber, std::unique_ptr<SegmentChannel>> channels;  // of the logs that shards write
};

// Opens all volumes of the configuration; `logs[v]` are the logs that shards will write on volume
// v. Makes the catalogue name every stream. The error names the volume and the way out.
[[nodiscard]] Result<std::vector<RunningVolume>> open_volumes(
    const Config& config, const std::vector<std::vector<LogNumber>>& logs, Clock& clock);

}  // namespace penstock
