// One simulated run: a node that lives, crashes and is restarted, all of it decided by a seed.
#pragma once

#include <optional>
#include <string>

#include "tests/lib/packet_pool.h"

namespace penstock::sim {

struct Outcome {
  std::string failure;      // empty: every invariant held
  std::uint64_t trace = 0;  // a hash of everything that happened
  std::uint64_t crashes = 0;
  std::uint64_t faults = 0;
  std::uint64_t packets = 0;
  std::uint64_t reported = 0;  // messages that were reported durable
  std::uint64_t verified = 0;  // messages read back and compared, at each recovery again
  std::uint64_t read = 0;      // messages that readers got while the node wrote, or after it
  std::uint64_t gaps = 0;      // that readers were told of
};

// What of a run the seed does not decide.
struct RunPlan {
  std::optional<std::uint64_t> steps = {};     // instead of some thousands
  std::optional<std::uint64_t> crash_at = {};  // one of these steps
};

// The seed of the run under way, for who has to say so when the process breaks.
[[nodiscard]] std::uint64_t running_seed();
void set_running_seed(std::uint64_t seed);

[[nodiscard]] Outcome run(std::uint64_t seed, test::PacketPool& pool,
                          const std::string& ledger_path, const RunPlan& plan = {});

}  // namespace penstock::sim
