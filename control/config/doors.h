// From a door's configuration to what the data plane knows of it.
#pragma once

#include "control/config/config.h"
#include "dataplane/door/door.h"

namespace penstock {

[[nodiscard]] DoorProtocol protocol_of(const DoorConfig& door);

// Its subject template, the protocol's own when none is configured.
[[nodiscard]] Result<SubjectTemplate> subject_of(const DoorConfig& door);

}  // namespace penstock
