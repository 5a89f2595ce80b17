// The seam between a log and the drive: asynchronous writes and flushes, completed in any order.
// io_ring_linux.cc is io_uring; io_ring_sim.cc a simulated drive with faults under a seed;
// io_ring_null.cc a drive that takes everything at once and keeps nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace penstock {

// A file known to the ring. On a raw device every slot is a range of one file.
struct IoFile {
  unsigned index = 0;      // as attach() gave it
  std::uint64_t base = 0;  // added to every offset
};

struct IoCompletion {
  std::uint64_t token;  // as it was queued
  std::int32_t result;  // bytes written or 0 for a flush; -errno when it failed
};

// One thread, the one that made it. Buffers stay untouched by the caller until their write
// completes.
class IoRing {
 public:
  virtual ~IoRing() = default;

  // The memory that writes will mostly come from, registered once, before the first write.
  [[nodiscard]] virtual Result<> register_memory(std::span<std::byte> memory) = 0;

  // Makes an open file known to the ring, which does not own it. kNoSpace when the table is full.
  [[nodiscard]] virtual Result<unsigned> attach(int fd) = 0;
  virtual void detach(unsigned index) = 0;

  // Queue an operation; submit() hands all queued ones to the drive. False: the queue is full,
  // submit and reap first. `bytes` and `offset` are page-aligned. With `durable` the write
  // completes when it is on stable storage (RWF_DSYNC).
  [[nodiscard]] virtual bool queue_write(std::uint64_t token, IoFile file, std::uint64_t offset,
                                         std::span<const std::byte> bytes, bool durable) = 0;
  // Makes durable every write of that file that completed before this was queued (fdatasync).
  [[nodiscard]] virtual bool queue_flush(std::uint64_t token, IoFile file) = 0;

  // At most one system call, none when nothing is queued and nothing is in flight.
  virtual void submit() = 0;

  // Takes up to completions.size() finished operations; returns how many. Never waits.
  [[nodiscard]] virtual std::size_t reap(std::span<IoCompletion> completions) = 0;

  // Operations that were queued and not yet reaped: their buffers are the ring's. The kernel may
  // take fewer than submit() offers; the rest stays queued for the next one.
  [[nodiscard]] virtual unsigned in_flight() const = 0;
};

}  // namespace penstock
