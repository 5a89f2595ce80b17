// The segments of one log as a reader knows them, while another process may take and retire some.
#pragma once

#include <optional>
#include <vector>

#include "storage/recover/recovery.h"

namespace penstock {

// Up to where a log may be read: from recovery, or the live edge that its shard publishes.
struct LogEnd {
  BlockSequence durable{0};  // blocks before it are on stable storage
  // The place just behind the last of them; position 0: not known.
  SlotIndex slot{0};
  Generation generation{0};
  std::uint32_t position = 0;  // pages
};
[[nodiscard]] LogEnd end_of(const RecoveredLog& log);
[[nodiscard]] LogEnd end_of(const LogWatermarks& watermarks);

// One thread. The volume outlives it.
class SegmentList {
 public:
  // `segments`: oldest first. Here and below only those count that begin in front of the log's end:
  // another may be on the drive before the one in front of it.
  SegmentList(Volume& volume, LogNumber log, std::vector<KeptSegment> segments, const LogEnd& end)
      : volume_(&volume), log_(log) {
    know(std::move(segments), end);
  }

  [[nodiscard]] std::size_t size() const { return segments_.size(); }
  [[nodiscard]] const KeptSegment& operator[](std::size_t i) const { return segments_[i]; }
  [[nodiscard]] const std::vector<KeptSegment>& all() const { return segments_; }

  // The log's blocks in segment `i` come before this one. Those of a later segment's base_sequence
  // on were rewritten there: here they are void.
  [[nodiscard]] BlockSequence end(std::size_t i) const { return ends_[i]; }
  // The first block that segment `i` or a later one holds.
  [[nodiscard]] BlockSequence begin(std::size_t i) const;
  // Not by its number: one that a power cut takes may leave it to another. size(): it is not known.
  [[nodiscard]] std::size_t find(Generation generation) const;
  // Segments before this one were retired, so say the headers of later ones.
  [[nodiscard]] SegmentSequence oldest_kept() const;

  // Whether the slot of segment `i` still holds it; a damaged or unreadable header does not say
  // that it does not. An error, here and below: the drive gives nothing at all.
  [[nodiscard]] Result<bool> holds(std::size_t i);
  // Learns of segments newer than the last one known. One read when `end` names the next one or the
  // one known last, else all slot headers are read.
  [[nodiscard]] Result<> look_for_newer(const LogEnd& end);
  // Reads all slot headers.
  [[nodiscard]] Result<> look_for_all(const LogEnd& end);

  // Whether segment `i` is closed; then its footer is known.
  [[nodiscard]] Result<bool> learn_footer(std::size_t i);
  // Nothing when the segment is not closed, or its index is damaged or unreadable: then its blocks
  // have to be read.
  [[nodiscard]] Result<std::optional<SegmentIndex>> read_index(std::size_t i);

 private:
  void know(std::vector<KeptSegment> segments, const LogEnd& end);
  // The segment of this log that the slot holds, if any.
  [[nodiscard]] Result<std::optional<KeptSegment>> read_header(SlotIndex slot);
  // Reads one page; false when the drive does not give it.
  [[nodiscard]] Result<bool> read_page(SlotIndex slot, std::uint32_t number);

  Volume* volume_;
  LogNumber log_;
  std::vector<KeptSegment> segments_;
  std::vector<BlockSequence> ends_;
  PageBuffer page_ = allocate_pages(kPageBytes);
};

}  // namespace penstock
