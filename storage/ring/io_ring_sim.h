// IoRing on a simulated drive: deterministic under the drive's seed.
#pragma once

#include <memory>

#include "storage/ring/sim_drive.h"

namespace penstock {

struct SimRingOptions {
  unsigned entries = 64;  // operations queued and in flight at most
  unsigned files = 16;    // attached at the same time at most
};

// A file descriptor is the number of a file of the drive, which outlives the ring. What is in
// flight when the ring is destroyed lands or does not, as when the process is killed.
[[nodiscard]] std::unique_ptr<IoRing> make_io_ring_sim(SimDrive& drive,
                                                       const SimRingOptions& options = {});

}  // namespace penstock
