// The ledger as JSON: the stable form that scripts read (docs/metrics.md).
#pragma once

#include <nlohmann/json.hpp>

#include "dataplane/ledger/balance.h"

namespace penstock {

using Json = nlohmann::ordered_json;

// The text of it. What is not UTF-8, as a file's name may be, has U+FFFD in its place.
[[nodiscard]] std::string text_of(const Json& json, int indent = -1);
// On standard output, for people to read as well, with a newline.
void print_json(const Json& json);

[[nodiscard]] Json to_json(const LedgerSnapshot& snapshot, const Books& books);

}  // namespace penstock
