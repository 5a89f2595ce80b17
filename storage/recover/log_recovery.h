// Recovery of one log from its segments.
#pragma once

#include "storage/recover/given_away.h"
#include "storage/recover/recovery.h"

namespace penstock {

struct LogParts {
  std::vector<KeptSegment> segments;  // in any order
  GivenAway given;
};

// Adds to the findings, the slots and the bytes read of `volume`. kNotFound: a slot was removed or
// used again meanwhile.
[[nodiscard]] Result<RecoveredLog> recover_log(VolumeDevice& device, LogParts parts,
                                               RecoveredVolume& volume);

}  // namespace penstock
