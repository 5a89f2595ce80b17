// What an observer of one life of a log knows of its producers' sessions, and what has to be known
// of them when it is over.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "storage/log/log_writer.h"

namespace penstock {

struct SimSession {
  std::uint64_t start = 0;                // where it went on when this life began
  std::set<std::uint64_t> runs;           // where each run that was appended begins
  std::set<std::uint64_t> left_out_upto;  // sequences in front of these were left out
};
using SimSessions = std::map<SessionNumber, SimSession>;

// `ends`: behind the last run of each session that is on the drive. `known`: what recovery says.
// Each goes on there; or behind what was left out next, if an index remembers that.
[[nodiscard]] inline std::string what_is_wrong(const SimSessions& sessions,
                                               const std::map<SessionNumber, std::uint64_t>& ends,
                                               const std::vector<LogStart::Producer>& known) {
  for (const auto& [number, session] : sessions) {
    const auto end = ends.find(number);
    const std::uint64_t behind = std::max(session.start, end == ends.end() ? 0 : end->second);
    const auto found = std::ranges::find(known, number, &LogStart::Producer::session);
    const std::uint64_t next = found == known.end() ? 0 : found->next_sequence;
    if (next == behind) continue;
    const auto run = session.runs.lower_bound(behind);
    const bool passes_a_run = run != session.runs.end() && *run < next;
    if (next > behind && session.left_out_upto.contains(next) && !passes_a_run) continue;
    return fmt::format("session {} goes on with {}, its last run ends before {}", number, next,
                       behind);
  }
  return "";
}

}  // namespace penstock
