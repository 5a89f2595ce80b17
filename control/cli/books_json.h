// The ledger as JSON: the stable form that scripts read (docs/metrics.md).
#pragma once

#include <nlohmann/json.hpp>

#include "dataplane/ledger/balance.h"

namespace penstock {

using Json = nlohmann::ordered_json;

[[nodiscard]] Json to_json(const LedgerSnapshot& snapshot, const Books& books);

}  // namespace penstock
