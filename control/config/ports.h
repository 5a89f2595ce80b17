// From a port's configuration to what the data plane knows of it.
#pragma once

#include "control/config/config.h"
#include "dataplane/port/device.h"

namespace penstock {

// The shards that poll it, a queue each: those it names, or all.
[[nodiscard]] std::vector<unsigned> shards_of(const PortConfig& port, const Config& config);

// Its device as DPDK gets it. The error says what in port.device does not go with the other keys.
[[nodiscard]] Result<DevicePlan> device_of(const PortConfig& port, const Config& config);

}  // namespace penstock
