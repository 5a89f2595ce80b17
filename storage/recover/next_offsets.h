// Where the partitions of a log go on, so that no offset is given twice: what blocks say, and what
// lost ones may have held. And where its producers' sessions go on: behind their last run, or what
// an index says behind that. What lost blocks may have held of those is not taken for stored.
#pragma once

#include <map>

#include "storage/format/segment.h"
#include "storage/log/log_writer.h"

namespace penstock {

class RebuiltIndex;

class NextOffsets {
 public:
  // All there is in front of what is read.
  void know(const SegmentIndex& index);
  // Durable blocks are missing behind the first `blocks` of the segment being read: what lay on so
  // many pages, or so many blocks.
  void lose_pages(std::size_t blocks, std::uint64_t pages);
  void lose_blocks(std::size_t blocks, std::uint64_t count);
  // All there is of the segment was read. A lost block's messages may have been of any stream; of
  // one that is there again behind it the offsets are known.
  void take(const RebuiltIndex& read);
  // Durable blocks may be missing behind all of that: what lay on so many pages.
  void skip_pages(std::uint64_t pages);
  // By stream: not before these.
  void raise(const std::map<std::uint64_t, std::uint64_t>& others);

  void fill(LogStart& start) const;

 private:
  void use(const ProducerEntry& entry);

  struct Hole {
    std::size_t blocks_before;
    std::uint64_t messages_max;
  };
  std::map<std::uint64_t, std::uint64_t> offsets_;    // by stream
  std::map<std::uint64_t, ProducerEntry> producers_;  // by session
  std::map<std::uint64_t, std::uint64_t> begun_;      // by session: its first run that was read
  std::vector<Hole> holes_;                           // in the segment being read
  std::uint64_t new_partitions_ = 0;
};

}  // namespace penstock
