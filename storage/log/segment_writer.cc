#include "storage/log/segment_writer.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/crc32c.h"

namespace penstock {
namespace {

std::size_t blocks_max(std::uint64_t segment_bytes) { return segment_bytes / kPageBytes; }

}  // namespace

// The close buffer holds the largest index and what may be left in front of the footer when a
// segment is full: less than a block. It is zeroed and written with the index.
SegmentWriter::SegmentWriter(std::uint64_t segment_bytes, std::uint32_t block_bytes,
                             CaptureTable& captures, ProducerTable& producers)
    : segment_bytes_(segment_bytes),
      captures_(captures),
      producers_(producers),
      header_page_(allocate_pages(kPageBytes)),
      close_bytes_(std::min<std::size_t>(
          segment_bytes, index_bytes(blocks_max(segment_bytes), CaptureTable::kPartitionsMax,
                                     producers.capacity()) +
                             block_bytes + kPageBytes)) {
  close_buffer_ = allocate_pages(close_bytes_);
  blocks_.reserve(blocks_max(segment_bytes));
}

void SegmentWriter::forget_partitions() {
  for (Partition& partition : captures_.all()) {
    partition.first_offset = partition.placed_offset;
    partition.payload_bytes = 0;
    partition.first_block = partition.last_block = 0;
  }
}

void SegmentWriter::begin(const SegmentHeader& header, const SlotFile& slot, IoFile file) {
  header_ = header;
  slot_ = slot;
  file_ = file;
  position_ = 1;
  blocks_.clear();
  messages_ = payload_bytes_ = 0;
  forgotten_before_ = producers_.forgotten();
  forget_partitions();
  encode_segment_header({header_page_.get(), kPageBytes}, header);
}

void SegmentWriter::resume(const SegmentHeader& header, const SlotFile& slot, IoFile file,
                           std::uint32_t position, const SegmentIndex& index,
                           std::uint64_t payload_bytes) {
  begin(header, slot, file);
  position_ = position;
  blocks_.insert(blocks_.end(), index.blocks.begin(), index.blocks.end());
  for (const IndexEntry& block : index.blocks) messages_ += block.message_count;
  payload_bytes_ = payload_bytes;
  forgotten_before_ = 0;  // those that there was no room for any more may have runs in it
  for (Partition& partition : captures_.all()) {
    const auto found =
        std::ranges::find(index.partitions, partition.stream.value, &PartitionEntry::stream);
    if (found == index.partitions.end()) continue;
    partition.first_offset = Offset(found->first_offset);
    partition.payload_bytes = found->payload_bytes;
    partition.first_block = found->first_block;
    partition.last_block = found->last_block;
  }
}

bool SegmentWriter::has_room(std::uint32_t block_length) const {
  return bytes_closed(blocks_.size() + 1) + block_length <= segment_bytes_;
}

std::uint64_t SegmentWriter::place(Block& block, BlockSequence sequence, BlockSequence durable,
                                   std::uint32_t previous_crc) {
  BlockHeader& header = block.header;
  header.log = header_.log;
  header.volume = header_.volume;
  header.generation = header_.generation;
  header.sequence = sequence.value;
  header.durable_sequence = durable.value;
  header.position = position_;
  header.previous_crc = previous_crc;
  header.crc = finish_block(block.bytes, header);
  const auto number = static_cast<std::uint32_t>(blocks_.size());
  blocks_.push_back({position_, header.length / kPageBytes, header.message_count, header.crc,
                     header.first_received_ns, header.last_received_ns});
  index_runs(block, number);
  const std::uint64_t offset = std::uint64_t{position_} * kPageBytes;
  position_ += header.length / kPageBytes;
  return offset;
}

void SegmentWriter::index_runs(const Block& block, std::uint32_t number) {
  messages_ += block.total.messages;
  payload_bytes_ += block.total.bytes;
  for (const RunNote& note : block.run_notes.first(block.notes)) {
    for (const std::uint32_t i : captures_.partitions_of(note.set)) {
      Partition& partition = captures_.at(i);
      if (partition.first_offset == partition.placed_offset) partition.first_block = number;
      partition.placed_offset += note.messages;
      CHECK_LE(partition.placed_offset, partition.next_offset);
      partition.payload_bytes += note.payload_bytes;
      partition.last_block = number;
    }
    if (note.producer != kNoProducer) producers_.place(note.producer, note.producer_end);
  }
}

void SegmentWriter::end() {
  const std::size_t bytes = segment_bytes_ - close_offset();
  CHECK_LE(bytes, close_bytes_);
  const std::span buffer(close_buffer_.get(), bytes);
  std::ranges::fill(buffer, std::byte{0});
  std::memcpy(buffer.data(), blocks_.data(), blocks_.size() * sizeof(IndexEntry));
  std::size_t at = blocks_.size() * sizeof(IndexEntry);
  partition_entries_ = 0;
  for (const Partition& partition : captures_.all()) {
    // Nothing of it was ever placed: it may be newer than the last has_room(), and says nothing.
    if (partition.placed_offset == Offset(0)) continue;
    ++partition_entries_;
    store(buffer, at,
          PartitionEntry{.stream = partition.stream.value,
                         .first_offset = partition.first_offset.value,
                         .next_offset = partition.placed_offset.value,
                         .payload_bytes = partition.payload_bytes,
                         .first_block = partition.first_block,
                         .last_block = partition.last_block});
    at += sizeof(PartitionEntry);
  }
  producer_entries_ = 0;
  producers_.each_logged([&](const Producer& producer) {
    ++producer_entries_;
    store(buffer, at,
          ProducerEntry{.session = producer.session.value,
                        .next_sequence = producer.placed,
                        .last_used_ns = producer.last_used.value});
    at += sizeof(ProducerEntry);
  });
  CHECK_LE(at + kPageBytes, bytes);
  forgotten_ = producers_.forgotten() - forgotten_before_;
}

std::span<const std::byte> SegmentWriter::close(std::uint32_t last_crc, UnixNanos now) {
  const std::span buffer(close_buffer_.get(), segment_bytes_ - close_offset());
  footer_ = {};
  footer_.volume = header_.volume;
  footer_.log = header_.log;
  footer_.slot = header_.slot;
  footer_.generation = header_.generation;
  footer_.sequence = header_.sequence;
  footer_.base_sequence = header_.base_sequence;
  footer_.segment_bytes = segment_bytes_;
  footer_.index_position = position_;
  footer_.index_crc = crc32c(buffer.first(buffer.size() - kPageBytes));
  footer_.block_count = static_cast<std::uint32_t>(blocks_.size());
  footer_.partition_count = partition_entries_;
  footer_.producer_count = producer_entries_;
  footer_.last_crc = last_crc;
  footer_.message_count = messages_;
  footer_.payload_bytes = payload_bytes_;
  footer_.closed_ns = now.value;
  footer_.forgotten_count = forgotten_;
  footer_.first_received_ns = std::numeric_limits<std::int64_t>::max();
  footer_.last_received_ns = std::numeric_limits<std::int64_t>::min();
  for (const IndexEntry& block : blocks_) {
    if (block.message_count == 0) continue;
    footer_.first_received_ns = std::min(footer_.first_received_ns, block.first_received_ns);
    footer_.last_received_ns = std::max(footer_.last_received_ns, block.last_received_ns);
  }
  if (messages_ == 0) footer_.first_received_ns = footer_.last_received_ns = 0;
  encode_segment_footer(buffer.last(kPageBytes), footer_);
  return buffer.first(buffer.size() - kPageBytes);
}

}  // namespace penstock
