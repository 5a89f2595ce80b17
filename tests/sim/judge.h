// Who watches a simulated node from outside and judges what is found on its drive.
#pragma once

#include <string>

#include "storage/log/log_writer.h"
#include "storage/recover/recovery.h"

namespace penstock::sim {

class Judge {
 public:
  virtual ~Judge() = default;
  // The node took so many of the packets fed.
  virtual void received(std::size_t packets, UnixNanos now) = 0;
  // The log reported the block durable; it is in this slot.
  virtual void reported(const Block& block, SlotIndex slot) = 0;
  // Retention may have deleted the blocks before this one.
  virtual void retired_before(std::uint64_t block) = 0;
  // Compares what a fresh process reads from the volume with what has to be there.
  virtual void check(Volume& volume, const RecoveredVolume& recovered) = 0;
  virtual void fail(std::string what) = 0;
  // Messages that were reported durable, ever.
  [[nodiscard]] virtual std::uint64_t reported_messages() const = 0;
};

}  // namespace penstock::sim
