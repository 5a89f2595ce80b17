// The segment being filled: where the next block goes, and the index and footer that close it.
#pragma once

#include <vector>

#include "storage/log/capture_table.h"
#include "storage/log/producer_table.h"
#include "storage/log/segment_channel.h"
#include "storage/ring/io_ring.h"

namespace penstock {

// One thread. Lays bytes out; its owner writes them. Allocates only at construction.
class SegmentWriter {
 public:
  SegmentWriter(std::uint64_t segment_bytes, std::uint32_t block_bytes, CaptureTable& captures,
                ProducerTable& producers);

  // Begins a segment; header_page() is then to be written at its front.
  void begin(const SegmentHeader& header, const SlotFile& slot, IoFile file);
  // Goes on with a segment that an earlier process left open.
  void resume(const SegmentHeader& header, const SlotFile& slot, IoFile file,
              std::uint32_t position, const SegmentIndex& index, std::uint64_t payload_bytes);

  [[nodiscard]] const SegmentHeader& header() const { return header_; }
  [[nodiscard]] const SlotFile& slot() const { return slot_; }
  [[nodiscard]] IoFile file() const { return file_; }
  [[nodiscard]] std::span<const std::byte> header_page() const {
    return {header_page_.get(), kPageBytes};
  }
  [[nodiscard]] std::uint32_t position() const { return position_; }  // pages
  [[nodiscard]] bool has_blocks() const { return !blocks_.empty(); }

  // Whether a block of this length, its index entry and what closes the segment still fit.
  [[nodiscard]] bool has_room(std::uint32_t block_length) const;

  // Whether what closes the segment fits as it is. A resumed one may know fewer sessions than there
  // are now.
  [[nodiscard]] bool can_close() const { return bytes_closed(blocks_.size()) <= segment_bytes_; }

  // Gives the block its place: stamps, checksums and indexes it. Returns its byte offset.
  std::uint64_t place(Block& block, BlockSequence sequence, BlockSequence durable,
                      std::uint32_t previous_crc);

  // No block follows. Lays out the index, while partitions and producers are still as this segment
  // leaves them.
  void end();
  // After end(): index and zeros, to be written at close_offset(). When they are durable
  // footer_page() follows behind them.
  [[nodiscard]] std::span<const std::byte> close(std::uint32_t last_crc, UnixNanos now);
  [[nodiscard]] std::span<const std::byte> footer_page() const {
    return {close_buffer_.get() + (segment_bytes_ - close_offset() - kPageBytes), kPageBytes};
  }
  [[nodiscard]] std::uint64_t close_offset() const { return std::uint64_t{position_} * kPageBytes; }
  [[nodiscard]] const SegmentFooter& footer() const { return footer_; }

 private:
  void forget_partitions();
  void index_runs(const Block& block, std::uint32_t number);
  // The segment's length if it were closed here, with so many blocks.
  [[nodiscard]] std::uint64_t bytes_closed(std::size_t blocks) const {
    return std::uint64_t{position_} * kPageBytes +
           index_bytes(blocks, captures_.all().size(), producers_.size()) + kPageBytes;
  }

  std::uint64_t segment_bytes_;
  CaptureTable& captures_;
  ProducerTable& producers_;
  PageBuffer header_page_;
  PageBuffer close_buffer_;
  std::size_t close_bytes_;  // of the buffer
  SegmentHeader header_{};
  SegmentFooter footer_{};
  SlotFile slot_;
  IoFile file_;
  std::uint32_t position_ = 0;
  std::vector<IndexEntry> blocks_;
  std::uint32_t partition_entries_ = 0;  // in the index
  std::uint32_t producer_entries_ = 0;
  std::uint64_t forgotten_ = 0;
  std::uint64_t forgotten_before_ = 0;  // sessions, before this segment
  std::uint64_t messages_ = 0;
  std::uint64_t payload_bytes_ = 0;
};

}  // namespace penstock
