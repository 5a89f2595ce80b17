// The one way from the control thread to a running shard: typed commands over one ring, what it
// made of them over another. Nobody waits for anybody: a full ring refuses, and who sends tries
// again later.
#pragma once

#include <variant>

#include "base/spsc_ring.h"
#include "dataplane/subject/routing.h"

namespace penstock {

// Route by this version from now on. It outlives its use.
struct RouteBy {
  const Routing* routing = nullptr;
};
using ShardCommand = std::variant<RouteBy>;

// The shard routes by this version, and knows no other any more.
struct RoutesBy {
  const Routing* routing = nullptr;
};
using ShardAnswer = std::variant<RoutesBy>;

struct Mailbox {
  static constexpr std::size_t kMost = 16;
  SpscRing<ShardCommand> commands{kMost};  // control thread -> shard
  SpscRing<ShardAnswer> answers{kMost};    // shard -> control thread; one for each command
};

}  // namespace penstock
