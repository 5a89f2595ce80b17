// Recovery of one log from its segments.
#pragma once

#include "storage/recover/recovery.h"

namespace penstock {

// `segments`: all that belong to the log, in any order. Adds to the findings, the free slots and
// the bytes read of `volume`.
[[nodiscard]] Result<RecoveredLog> recover_log(VolumeDevice& device,
                                               std::vector<KeptSegment> segments,
                                               RecoveredVolume& volume);

}  // namespace penstock
