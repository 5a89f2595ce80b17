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
  // By session: the sequence of its first run.
  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& begun() const { return begun_; }
  [[nodiscard]] std::uint64_t payload_bytes() const { return payload_bytes_; }

 private:
  void add_run(RunReader run, std::uint32_t block);
  void add_producer(const RunReader& run);

  SegmentIndex index_;
  std::map<std::uint64_t, std::size_t> place_of_stream_;
  std::map<std::uint64_t, std::size_t> place_of_session_;
  std::map<std::uint64_t, ProducerEntry> late_;
  std::map<std::uint64_t, std::uint64_t> begun_;
  std::uint64_t payload_bytes_ = 0;  // of each message once
};

}  // namespace penstock
