// One simulated run of producers, a network, a node that lives, crashes and is restarted, and its
// drive, all of it decided by a seed.
#pragma once

#include <string>

#include "tests/lib/packet_pool.h"

namespace penstock::sim {

struct ProducerOutcome {
  std::string failure;      // empty: every invariant held
  std::uint64_t trace = 0;  // a hash of everything that happened
  std::uint64_t crashes = 0;
  std::uint64_t orderly_ends = 0;
  std::uint64_t disk_faults = 0;
  std::uint64_t packets = 0;  // by producers
  std::uint64_t packets_lost = 0;
  std::uint64_t packets_damaged = 0;
  std::uint64_t messages = 0;  // appended
  std::uint64_t acknowledged = 0;
  std::uint64_t verified = 0;  // messages read back and compared, at each recovery again
  std::uint64_t producers_killed = 0;
  std::uint64_t takeovers = 0;
  std::uint64_t moves = 0;
  std::uint64_t closed_at_end = 0;
  std::uint64_t full_at_end = 0;  // runs
};

[[nodiscard]] ProducerOutcome run_producers(std::uint64_t seed, test::PacketPool& pool,
                                            const std::string& ledger_path);

}  // namespace penstock::sim
