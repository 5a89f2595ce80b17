// What the blocks of a segment hold, added up, to be compared with what its index and footer say.
#pragma once

#include <limits>
#include <map>

#include "storage/recover/segment_scan.h"

namespace penstock {

// Where each partition of a log goes on. After damage offsets may leap forward once, never back.
class OffsetTrack {
 public:
  // False: the run's offsets do not go on where the partition's last ones ended.
  [[nodiscard]] bool advance(const Capture& capture, std::uint32_t messages);
  void doubt();
  [[nodiscard]] const auto& streams() const { return streams_; }

 private:
  struct Next {
    std::uint64_t offset;
    bool sure;
  };
  std::map<std::uint64_t, Next> streams_;
};

class SegmentContents {
 public:
  explicit SegmentContents(OffsetTrack& offsets) : offsets_(offsets) {}

  // The next block. False: its offsets do not go on.
  [[nodiscard]] bool add(const SegmentScan::Found& found);
  // A block that should be here and is damaged.
  void add_damaged() { ++blocks_; }

  [[nodiscard]] std::uint32_t blocks() const { return blocks_; }
  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  [[nodiscard]] std::uint64_t payload_bytes() const { return payload_bytes_; }

  // Only of a segment without damage.
  [[nodiscard]] bool agree_with(const PartitionEntry& entry) const;
  [[nodiscard]] bool agree_with(const SegmentFooter& footer) const;
  // Whether every partition that the blocks hold is among them.
  [[nodiscard]] bool all_in(const std::vector<PartitionEntry>& entries) const;
  // Whether the last run of the session, if there is one, ends in front of what it says.
  [[nodiscard]] bool agree_with(const ProducerEntry& entry) const;
  // Sessions whose runs the blocks hold, and that are not among them.
  [[nodiscard]] std::uint64_t not_in(const std::vector<ProducerEntry>& entries) const;

 private:
  bool add_run(RunReader run, std::uint32_t block);

  OffsetTrack& offsets_;
  std::uint32_t blocks_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t payload_bytes_ = 0;
  std::uint32_t last_crc_ = 0;
  std::int64_t first_received_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_received_ = std::numeric_limits<std::int64_t>::min();
  std::map<std::uint64_t, PartitionEntry> partitions_;
  std::map<std::uint64_t, std::uint64_t> producers_;  // by session: the end of its last run in
                                                      // order
};

[[nodiscard]] bool agree(const IndexEntry& entry, const BlockHeader& header);

}  // namespace penstock
