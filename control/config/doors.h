// From a door's configuration to what the data plane knows of it.
#pragma once

#include "control/config/config.h"
#include "dataplane/door/door.h"

namespace penstock {

[[nodiscard]] DoorProtocol protocol_of(const DoorConfig& door);

// Its subject template, the protocol's own when none is configured.
[[nodiscard]] Result<SubjectTemplate> subject_of(const DoorConfig& door);

// How many sessions each log is to know; 0: no door speaks PDP.
[[nodiscard]] std::size_t remembered_sessions(const std::vector<DoorConfig>& doors);

// Whether frames sent to groups must reach the port: for what a door listens to, and for neighbour
// solicitations, without which no IPv6 sender finds the port.
[[nodiscard]] bool wants_multicast(const Config& config, const PortConfig& port);

}  // namespace penstock
