// Where a node keeps what others look for: its ledger, and the lock that says the place is taken.
#pragma once

#include "control/config/config.h"

namespace penstock {

[[nodiscard]] std::string ledger_path(const NodeConfig& node);
[[nodiscard]] std::string lock_path(const NodeConfig& node);

}  // namespace penstock
