// penstock-blast --pdp: acknowledged messages of sessions, and how long their acknowledgements
// took.
#pragma once

#include "perf/blast/options.h"

namespace penstock::blast {

// Sends and reports; the exit code.
[[nodiscard]] int pdp_blast(const Options& options, const volatile bool& stop);

}  // namespace penstock::blast
