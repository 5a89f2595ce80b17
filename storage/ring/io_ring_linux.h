// IoRing on io_uring: SINGLE_ISSUER and DEFER_TASKRUN where the kernel has them, registered files
// and memory, optionally a kernel polling thread (SQPOLL).
#pragma once

#include <memory>

#include "storage/ring/io_ring.h"

namespace penstock {

struct IoRingOptions {
  unsigned entries = 64;        // operations in flight at most
  unsigned files = 16;          // attached at the same time at most
  bool kernel_polling = false;  // SQPOLL: a kernel thread takes submissions; wants a core of its
                                // own
};

// To be called on the thread that will use the ring. Features that the running kernel lacks are
// left out; kUnavailable when io_uring itself is not to be had, with the reason.
[[nodiscard]] Result<std::unique_ptr<IoRing>> make_io_ring_linux(const IoRingOptions& options);

// Takes every write at once and keeps nothing: the processor's limit without a drive.
[[nodiscard]] std::unique_ptr<IoRing> make_io_ring_null();

}  // namespace penstock
