// One simulated run: a node that lives, crashes and is restarted, all of it decided by a seed.
#pragma once

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
};

// The seed of the run under way, for who has to say so when the process breaks.
[[nodiscard]] std::uint64_t running_seed();

[[nodiscard]] Outcome run(std::uint64_t seed, test::PacketPool& pool,
                          const std::string& ledger_path);

}  // namespace penstock::sim
