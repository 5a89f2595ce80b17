// A node's ports: started, and what their user should know of them said in the log.
#pragma once

#include <memory>

#include "control/config/config.h"
#include "dataplane/port/port.h"

namespace penstock {

// DPDK runs and was given the device.
[[nodiscard]] Result<std::unique_ptr<Port>> start_port(const Config& config,
                                                       const PortConfig& port);

}  // namespace penstock
