// Walks the blocks of one segment from its front, checking each against its place and its
// predecessor.
#pragma once

#include <optional>

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
  // segment.
  SegmentScan(VolumeDevice& device, const SegmentHeader& segment, std::uint32_t end_position = 0);

  // The block here if it is whole and in its place; the fault says why not. An error is the
  // device's.
  [[nodiscard]] Result<std::optional<Found>> here();
  [[nodiscard]] BlockFault fault() const { return fault_; }
  [[nodiscard]] std::uint32_t position() const { return position_; }
  [[nodiscard]] bool at_end() const { return position_ >= end_position_; }

  void step_over(const Found& found) { position_ += found.header.length / kPageBytes; }
  void go_to(std::uint32_t position) { position_ = position; }
  // What was read ahead is read again: the segment has grown since.
  void forget() { window_begin_ = window_end_ = position_; }

  // The next whole block of this segment at or behind `from`, looked for page by page.
  [[nodiscard]] Result<std::optional<Found>> search(std::uint32_t from);

  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
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
};

}  // namespace penstock
