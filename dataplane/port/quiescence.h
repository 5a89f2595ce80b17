// Lets a device's driver take memory away from under a polling shard without the shard ever seeing
// it.
//
// DPDK's interrupt thread unmaps a memif peer's memory when the peer goes, while a shard may be in
// the middle of a burst that reads it. A shard reports, once a loop, that it holds no device
// memory; the interrupt thread's munmap(2) waits until every shard has said so since.
// Quiescent-state based RCU: Desnoyers et al., "User-Level Implementations of Read-Copy Update"
// (2012).
#pragma once

#include <cstddef>

namespace penstock {

inline constexpr unsigned kPollersMax = 64;

// On the polling thread, before its first burst and after its last.
void enter_polling(unsigned poller);
void leave_polling(unsigned poller);

// On the polling thread, once a loop, between bursts: costs one store.
void report_quiescent(unsigned poller);

}  // namespace penstock
