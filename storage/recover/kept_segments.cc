#include "storage/recover/kept_segments.h"

#include <algorithm>
#include <limits>
#include <ranges>

#include "storage/recover/page_reads.h"
#include "storage/recover/segment_scan.h"

namespace penstock {
bool belongs_to(const SegmentHeader& header, const Superblock& superblock, SlotIndex slot) {
  return header.volume == superblock.volume && header.slot == slot.value &&
         header.segment_bytes == superblock.segment_bytes;
}

bool closes(const SegmentFooter& footer, const SegmentHeader& header) {
  return footer.volume == header.volume && footer.log == header.log &&
         footer.generation == header.generation && footer.sequence == header.sequence;
}

std::vector<BlockSequence> ends_of(std::span<const KeptSegment> segments) {
  std::vector<BlockSequence> ends(segments.size());
  BlockSequence end(std::numeric_limits<std::uint64_t>::max());
  for (std::size_t i = segments.size(); i-- > 0;) {
    const KeptSegment& segment = segments[i];
    ends[i] = segment.closed ? std::min(end, behind(segment.footer)) : end;
    end = std::min(end, BlockSequence(segment.header.base_sequence));
  }
  return ends;
}

std::vector<KeptSegment> without_void(std::vector<KeptSegment> segments,
                                      std::vector<SlotIndex>& void_slots) {
  std::uint64_t begin = ~std::uint64_t{0};
  std::vector<KeptSegment> kept;
  for (const KeptSegment& segment : std::views::reverse(segments)) {
    if (!segment.closed && segment.header.base_sequence >= begin) {
      void_slots.emplace_back(segment.header.slot);
      continue;
    }
    begin = segment.header.base_sequence;
    kept.push_back(segment);
  }
  std::ranges::reverse(kept);
  return kept;
}

std::set<std::uint64_t> gaps_behind(std::span<const KeptSegment> segments) {
  std::set<std::uint64_t> gaps;
  for (std::size_t i = 1; i < segments.size(); ++i) {
    const std::uint64_t before = segments[i - 1].header.sequence;
    if (segments[i].header.sequence > before + 1) gaps.insert(before);
  }
  return gaps;
}

bool ended_before(std::span<const KeptSegment> segments, std::size_t number, BlockSequence missing,
                  std::uint32_t previous_crc) {
  if (segments[number].closed || number + 1 == segments.size()) return false;
  const SegmentHeader& next = segments[number + 1].header;
  return next.base_sequence > missing.value && next.previous_crc == previous_crc;
}

Result<bool> any_proves(VolumeDevice& device, std::span<const KeptSegment> segments,
                        BlockSequence durable) {
  for (const KeptSegment& segment : segments) {
    const SegmentHeader& header = segment.header;
    if (header.base_sequence <= durable.value) continue;
    if (segment.closed) return true;
    SegmentScan scan(device, header, footer_page(header.segment_bytes));
    // Its first blocks may have been sealed before the one in question was durable.
    auto proven = scan.proves(1, durable);
    if (!proven || *proven) return proven;
  }
  return false;
}

Result<bool> was_used_again(VolumeDevice& device, const SegmentHeader& header) {
  const PageBuffer buffer = allocate_pages(kPageBytes);
  const std::span page(buffer.get(), kPageBytes);
  auto unreadable = read_pages(device, SlotIndex(header.slot), 0, page);
  if (!unreadable) return std::unexpected(std::move(unreadable.error()));
  const auto now = decode_segment_header(page);
  return unreadable->empty() && now && now->generation != header.generation;
}

Result<IndexRead> read_index(VolumeDevice& device, SlotIndex slot, const SegmentFooter& footer) {
  const std::uint32_t pages = footer_page(footer.segment_bytes) - footer.index_position;
  const std::size_t size = std::size_t{pages} * kPageBytes;
  const PageBuffer buffer = allocate_pages(size);
  const std::span bytes(buffer.get(), size);
  IndexRead read{.bytes_read = size};
  auto unreadable = read_pages(device, slot, footer.index_position, bytes);
  if (!unreadable) return std::unexpected(std::move(unreadable.error()));
  read.unreadable = std::move(*unreadable);
  read.index = read.unreadable.empty()
                   ? decode_segment_index(bytes, footer)
                   : fail(Errc::kIoError, "segment index: the drive does not give its bytes");
  return read;
}

}  // namespace penstock
