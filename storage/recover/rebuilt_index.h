// What blocks say where no index does.
#pragma once

#include <map>

#include "storage/recover/kept_segments.h"
#include "storage/recover/segment_scan.h"

namespace penstock {

// The index of a segment that is not closed, as its blocks are read one after the other.
class RebuiltIndex {
 public:
  void add(const SegmentScan::Found& found);

  // Its partitions and producers are only those that the segment holds.
  [[nodiscard]] const SegmentIndex& index() const { return index_; }
  // By session: how far late runs behind its last one in order are, at least. What passed them may
  // be lost.
  [[nodiscard]] const std::map<std::uint64_t, ProducerEntry>& late() const { return late_; }
  [[nodiscard]] std::uint64_t payload_bytes() const { return payload_bytes_; }

 private:
  void add_run(RunReader run, std::uint32_t block);
  void add_producer(const RunReader& run);

  SegmentIndex index_;
  std::map<std::uint64_t, std::size_t> place_of_stream_;
  std::map<std::uint64_t, std::size_t> place_of_session_;
  std::map<std::uint64_t, ProducerEntry> late_;
  std::uint64_t payload_bytes_ = 0;  // of each message once
};

// By stream: an offset that is higher in the other one counts.
void raise_offsets(std::map<std::uint64_t, std::uint64_t>& offsets,
                   const std::map<std::uint64_t, std::uint64_t>& others);

// What blocks in slots without a readable header were given: their log goes on behind it.
struct GivenAway {
  std::uint64_t first_sequence = ~std::uint64_t{0};
  std::uint64_t next_sequence = 0;
  std::uint64_t durable_sequence = 0;                   // blocks before it were durable
  std::map<std::uint64_t, std::uint64_t> next_offsets;  // by stream
  std::uint64_t slots = 0;                              // that hold such blocks
  std::uint64_t lost_pages = 0;  // of these slots, which may hold damaged ones
  bool doubtful = false;         // a slot says nothing of what it held

  void add(const SegmentScan::Found& found);
  // What another slot holds.
  void add_slot(const GivenAway& slot);
};

// Whether those blocks may be in front of all the log's segments (oldest first). None is when a
// header says that the log began with the first of these: what is older was retired.
[[nodiscard]] bool may_be_older(const GivenAway& given, std::span<const KeptSegment> segments);

}  // namespace penstock
