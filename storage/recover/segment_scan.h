// Walks the blocks of one segment from its front and checks each against its place. Whether one
// follows another is the caller's to say.
#pragma once

#include <optional>
#include <set>

#include "storage/format/segment.h"
#include "storage/volume/volume_device.h"

namespace penstock {

// One thread. Reads in large pieces ahead of the walk.
class SegmentScan {
 public:
  struct Found {
    std::uint32_t position;            // pages from the start of the segment
    BlockHeader header;                // trustworthy
    std::span<const std::byte> bytes;  // of the block; valid until the next call
  };

  // Starts at the first block. `end_position`: read no further (pages); 0: to the end of the
  // segment. A header without a generation stands for any log and any use of the slot.
  SegmentScan(VolumeDevice& device, const SegmentHeader& segment, std::uint32_t end_position = 0);

  // The block here if it is whole and in its place; the fault says why not. Pages that the drive
  // does not give are a fault (kUnreadable). An error: the slot is gone, or the whole drive.
  [[nodiscard]] Result<std::optional<Found>> here();
  [[nodiscard]] BlockFault fault() const { return fault_; }
  [[nodiscard]] std::uint32_t position() const { return position_; }
  [[nodiscard]] bool at_end() const { return position_ >= end_position_; }

  void step_over(const Found& found) { position_ += found.header.length / kPageBytes; }
  void go_to(std::uint32_t position) { position_ = position; }
  // What was read ahead is read again: the segment has grown since.
  void forget() {
    window_begin_ = window_end_ = position_;
    unreadable_.clear();
  }

  // The next whole block of this segment at or behind `from`, looked for page by page.
  [[nodiscard]] Result<std::optional<Found>> search(std::uint32_t from);

  // Whether a whole block at or behind `from` says that this one was durable.
  [[nodiscard]] Result<bool> proves(std::uint32_t from, BlockSequence durable);

  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
  // Pages that the drive did not give, of all that were read.
  [[nodiscard]] const std::set<std::uint32_t>& unreadable() const { return unreadable_; }

 private:
  [[nodiscard]] bool is_unreadable(std::uint32_t pages) const {
    const auto next = unreadable_.lower_bound(position_);
    return next != unreadable_.end() && *next < position_ + pages;
  }
  // At least `pages` from `position` are in the window, or as many as there are.
  [[nodiscard]] Result<std::span<const std::byte>> window(std::uint32_t position,
                                                          std::uint32_t pages);

  VolumeDevice& device_;
  SegmentHeader segment_;
  std::uint32_t end_position_;
  std::uint32_t position_ = 1;
  BlockFault fault_ = BlockFault::kNone;
  std::uint32_t window_pages_;  // that the buffer holds
  PageBuffer buffer_;
  std::uint32_t window_begin_ = 0;  // pages
  std::uint32_t window_end_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::set<std::uint32_t> unreadable_;
};

// Whether a page with this fault has nothing of a block of the segment: it is blank, or from an
// earlier use of the slot.
[[nodiscard]] inline bool nothing_left(BlockFault fault) {
  return fault == BlockFault::kNeverWritten || fault == BlockFault::kBadMagic ||
         fault == BlockFault::kWrongGeneration;
}

}  // namespace penstock
