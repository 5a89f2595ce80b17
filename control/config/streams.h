// What the configuration says of streams, as the data plane takes it.
#pragma once

#include <memory>

#include "control/config/config.h"
#include "dataplane/subject/routing.h"

namespace penstock {

// Of streams that were checked: their filters parse.
[[nodiscard]] std::shared_ptr<const Routing> routing_of(std::span<const StreamConfig> streams);

}  // namespace penstock
