// Which shard goes on with which producer's session, however many shards wrote the logs before.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "storage/log/log_writer.h"

namespace penstock {

// What one recovered log knows.
struct LogProducers {
  std::optional<unsigned> shard;  // that writes it from now on
  std::span<const LogStart::Producer> producers;
};

// LogStart::producers of each shard: the sessions whose number modulo `shards` is the shard's. Of
// what several logs know of a session the one counts that was used last, and of those the furthest:
// an older life of the session may have had greater sequences. But if it began just where the
// session ended in another log, it went on from there, whatever the clock said. In front of those,
// to be forgotten first, are the others that the shard's own log knows: they are a different
// shard's now, and until that one's log has closed a segment no index but this log's remembers
// them.
[[nodiscard]] std::vector<std::vector<LogStart::Producer>> assign_producers(
    std::span<const LogProducers> logs, unsigned shards);

}  // namespace penstock
