// The partitions of a log and the sets of them that messages are captured by.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "storage/log/block_pool.h"
#include "storage/log/number_index.h"

namespace penstock {

// A stream's part in this log. Offsets advance in three steps:
//   durable_offset <= placed_offset <= next_offset
struct Partition {
  StreamId stream;
  Offset next_offset;     // of the next message appended
  Offset placed_offset;   // of the next message that gets a place in a segment
  Offset durable_offset;  // of the next message that becomes durable

  // In the segment being filled.
  Offset first_offset;
  std::uint64_t payload_bytes = 0;
  std::uint32_t first_block = 0;
  std::uint32_t last_block = 0;
};

// One thread. Bounded: all memory is taken by the constructor.
class CaptureTable {
 public:
  static constexpr std::size_t kSetsMax = 16384;
  static constexpr std::size_t kPartitionsMax = 16384;

  CaptureTable();

  // Where the partition of a stream that is new to the log begins.
  void begin_new_at(Offset offset) { new_offset_ = offset; }
  // The number of the stream's partition, made when it is new. Nothing when the table is full.
  [[nodiscard]] std::optional<std::uint32_t> add_partition(StreamId stream, Offset next_offset);
  // Of 1 to kCapturesMax streams; the same ones in the same order give the same id. Nothing when
  // one of the tables is full.
  [[nodiscard]] std::optional<CaptureSetId> add_set(std::span<const StreamId> streams);

  [[nodiscard]] std::span<const std::uint32_t> partitions_of(CaptureSetId set) const {
    return std::span(sets_[set.value].partitions).first(sets_[set.value].size);
  }
  [[nodiscard]] Partition& at(std::uint32_t partition) { return partitions_[partition]; }
  [[nodiscard]] std::span<Partition> all() { return partitions_; }
  [[nodiscard]] std::size_t sets() const { return sets_.size(); }

 private:
  struct Set {
    std::uint32_t size = 0;
    std::array<std::uint32_t, kCapturesMax> partitions;
  };
  Offset new_offset_{0};
  std::vector<Partition> partitions_;
  NumberIndex partition_index_{kPartitionsMax};
  std::vector<Set> sets_;
  NumberIndex set_index_{kSetsMax};
};

}  // namespace penstock
