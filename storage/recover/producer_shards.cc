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

}  // namespace

std::vector<std::vector<LogStart::Producer>> assign_producers(std::span<const LogProducers> logs,
                                                              unsigned shards) {
  std::map<SessionNumber, LogStart::Producer> all;
  for (const LogProducers& log : logs) {
    for (const LogStart::Producer& producer : log.producers) {
      LogStart::Producer& known = all.try_emplace(producer.session, producer).first->second;
      if (is_newer(producer, known)) known = producer;
    }
  }
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
