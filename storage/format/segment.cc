#include "storage/format/segment.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "storage/format/page.h"

namespace penstock {
namespace {

bool sane_size(std::uint64_t bytes) {
  return bytes >= kSegmentBytesMin && bytes <= kSegmentBytesMax && bytes % kPageBytes == 0;
}

std::unexpected<Error> bad_index(std::string_view why) {
  return fail(Errc::kCorrupt, fmt::format("segment index: {}", why));
}

// Blocks lie one behind the other from the page behind the header up to the index.
bool blocks_in_order(const std::vector<IndexEntry>& blocks, std::uint32_t index_position) {
  std::uint64_t position = 1;
  for (const IndexEntry& block : blocks) {
    if (block.position != position || block.pages == 0) return false;
    position += block.pages;
  }
  return position == index_position;
}

}  // namespace

void encode_segment_header(std::span<std::byte> page, SegmentHeader header) {
  encode_page(page, header, kSegmentHeaderMagic);
}

void encode_segment_footer(std::span<std::byte> page, SegmentFooter footer) {
  encode_page(page, footer, kSegmentFooterMagic);
}

Result<SegmentHeader> decode_segment_header(std::span<const std::byte> page) {
  auto header = decode_page<SegmentHeader>(page, kSegmentHeaderMagic, "segment header");
  if (!header) return header;
  if (header->state != SlotState::kFree && header->state != SlotState::kUsed) {
    return fail(Errc::kCorrupt, "segment header: unknown state");
  }
  if (!sane_size(header->segment_bytes)) {
    return fail(Errc::kCorrupt, "segment header: impossible segment size");
  }
  return header;
}

Result<SegmentFooter> decode_segment_footer(std::span<const std::byte> page) {
  auto footer = decode_page<SegmentFooter>(page, kSegmentFooterMagic, "segment footer");
  if (!footer) return footer;
  const std::uint64_t entries =
      index_bytes(footer->block_count, footer->partition_count, footer->producer_count);
  const std::uint64_t begin = std::uint64_t{footer->index_position} * kPageBytes;
  if (!sane_size(footer->segment_bytes) || begin < kPageBytes ||
      begin + entries + kPageBytes > footer->segment_bytes) {
    return fail(Errc::kCorrupt, "segment footer: lengths contradict each other");
  }
  return footer;
}

Result<SegmentIndex> decode_segment_index(std::span<const std::byte> bytes,
                                          const SegmentFooter& footer) {
  const std::size_t entries = footer.block_count * sizeof(IndexEntry) +
                              footer.partition_count * sizeof(PartitionEntry) +
                              footer.producer_count * sizeof(ProducerEntry);
  if (bytes.size() < entries) return bad_index("shorter than its entries");
  if (crc32c(bytes) != footer.index_crc) return bad_index("bad checksum");
  if (!all_zero(bytes.subspan(entries))) return bad_index("bytes behind its entries are not zero");
  SegmentIndex index;
  index.blocks.reserve(footer.block_count);
  index.partitions.reserve(footer.partition_count);
  index.producers.reserve(footer.producer_count);
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < footer.block_count; ++i, at += sizeof(IndexEntry)) {
    index.blocks.push_back(load<IndexEntry>(bytes, at));
  }
  for (std::uint32_t i = 0; i < footer.partition_count; ++i, at += sizeof(PartitionEntry)) {
    index.partitions.push_back(load<PartitionEntry>(bytes, at));
  }
  for (std::uint32_t i = 0; i < footer.producer_count; ++i, at += sizeof(ProducerEntry)) {
    index.producers.push_back(load<ProducerEntry>(bytes, at));
  }
  if (!blocks_in_order(index.blocks, footer.index_position))
    return bad_index("blocks out of order");
  for (const PartitionEntry& partition : index.partitions) {
    const bool none = partition.first_offset == partition.next_offset;
    if (partition.first_offset > partition.next_offset ||
        (!none && (partition.first_block > partition.last_block ||
                   partition.last_block >= footer.block_count))) {
      return bad_index("a partition's entries contradict each other");
    }
  }
  for (const ProducerEntry& producer : index.producers) {
    if (producer.next_sequence > kProducerSequenceEnd) {
      return bad_index("a session's sequence is past the last one");
    }
  }
  return index;
}

}  // namespace penstock
