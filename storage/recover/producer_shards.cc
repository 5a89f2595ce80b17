#include "storage/recover/producer_shards.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>

#include "base/check.h"

namespace penstock {
namespace {

bool is_newer(const LogStart::Producer& a, const LogStart::Producer& b) {
  return std::tie(a.last_used, a.next_sequence) > std::tie(b.last_used, b.next_sequence);
}

// The clock tells, but for an entry that begins exactly where the other one ends: that is how the
// session went on in another log, though the clock was set back meanwhile.
LogStart::Producer newest(std::span<const LogStart::Producer> entries) {
  LogStart::Producer best = *std::ranges::min_element(entries, is_newer);
  const auto goes_on = [&](const LogStart::Producer& entry) {
    return entry.begun == best.next_sequence && entry.next_sequence > best.next_sequence;
  };
  for (auto at = std::ranges::find_if(entries, goes_on); at != entries.end();
       at = std::ranges::find_if(entries, goes_on)) {
    best.next_sequence = at->next_sequence;
    best.last_used = UnixNanos(use_behind(best.last_used.value, at->last_used.value));
  }
  best.begun.reset();
  return best;
}

}  // namespace

std::vector<std::vector<LogStart::Producer>> assign_producers(std::span<const LogProducers> logs,
                                                              unsigned shards) {
  std::map<SessionNumber, std::vector<LogStart::Producer>> known;
  for (const LogProducers& log : logs) {
    for (const LogStart::Producer& producer : log.producers) {
      known[producer.session].push_back(producer);
    }
  }
  std::map<SessionNumber, LogStart::Producer> all;
  for (const auto& [session, entries] : known) all.emplace(session, newest(entries));
  const auto shard_of = [&](SessionNumber session) { return session.value % shards; };
  std::vector<std::vector<LogStart::Producer>> assigned(shards);
  for (const LogProducers& log : logs) {
    if (!log.shard) continue;
    CHECK_LT(*log.shard, shards);
    for (const LogStart::Producer& producer : log.producers) {
      if (shard_of(producer.session) == *log.shard) continue;
      assigned[*log.shard].push_back(all.at(producer.session));
    }
  }
  std::vector<std::vector<LogStart::Producer>> own(shards);
  for (const auto& [session, producer] : all) own[shard_of(session)].push_back(producer);
  for (unsigned shard = 0; shard < shards; ++shard) {
    std::ranges::stable_sort(assigned[shard], {}, &LogStart::Producer::last_used);
    std::ranges::stable_sort(own[shard], {}, &LogStart::Producer::last_used);
    std::ranges::copy(own[shard], std::back_inserter(assigned[shard]));
  }
  return assigned;
}

}  // namespace penstock
