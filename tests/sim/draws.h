// What a seed decides before a run begins: how bad drive and network are, how small
// the node's memory is.
#pragma once

#include "storage/ring/io_ring_sim.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"

namespace penstock::sim {

// How often a drive that is not perfect fails; whether some of its writes go astray.
[[nodiscard]] bool draw_faults(Rng& rng, SimFaultRates& rates);

// `misdirects`: some writes go astray.
[[nodiscard]] SimDriveOptions draw_drive(Rng& rng, bool& misdirects);
[[nodiscard]] NodeOptions draw_node(Rng& rng, const pdp::KeyRing& keys);
[[nodiscard]] SimRingOptions draw_ring(Rng& rng);
[[nodiscard]] NetworkOptions draw_network(Rng& rng);
// New with each start of the node.
void draw_secrets(Rng& rng, PdpDoor& options);

}  // namespace penstock::sim
