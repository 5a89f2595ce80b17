// A reader of a simulated node's log, in a process of its own: it opens the volume while the node
// writes or is gone, stands somewhere, and follows. What it gets has to be what the journal holds,
// all of it, in order; what is missing has to be told by a gap, and to be missing for a reason.
#pragma once

#include <memory>
#include <optional>

#include "storage/read/log_reader.h"
#include "storage/ring/sim_drive.h"
#include "tests/sim/oracle.h"

namespace penstock::sim {

class ReadAlong {
 public:
  ReadAlong(Rng& rng, Oracle& oracle, SimDrive& drive)
      : rng_(rng), oracle_(oracle), drive_(drive) {}

  // Looks at the volume once more, up to where it is durable now; begins anew at times.
  void step(const LogWatermarks& watermarks);
  // Reads all that there is from the beginning.
  void read_all(const LogWatermarks& watermarks);
  // The process ends.
  void leave() { reader_.reset(); }

  [[nodiscard]] std::uint64_t records() const { return records_; }
  [[nodiscard]] std::uint64_t gaps() const { return gaps_; }

 private:
  void open(const LogEnd& end);
  void seek();
  [[nodiscard]] bool seek_time();
  void read(std::size_t items);
  void take(const Record& record);
  void take(const Gap& gap);
  void take_end();
  [[nodiscard]] std::size_t find(const Record& record);
  // Passing over messages up to this place, without having been told of any gap.
  void pass(std::size_t place);
  [[nodiscard]] bool may_be_missing(const Entry& entry) const;
  [[nodiscard]] bool may_pass(std::size_t place) const;

  Rng& rng_;
  Oracle& oracle_;
  SimDrive& drive_;
  std::unique_ptr<Volume> volume_;
  std::unique_ptr<LogReader> reader_;
  LogEnd end_;
  Journal::View view_;
  std::size_t place_ = 0;          // in the journal's view: all before it was read or needs not be
  bool begun_ = false;             // a message or a gap came since the seek
  bool noted_ = false;             // a gap of unknown extent came since the last message
  std::optional<UnixNanos> from_;  // messages before the first one of this time are passed over
  std::uint64_t from_offset_ = 0;  // so are those before this one
  std::uint64_t records_ = 0;
  std::uint64_t gaps_ = 0;
};

}  // namespace penstock::sim
