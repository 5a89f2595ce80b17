#include "storage/recover/lost_header.h"

#include <algorithm>

#include "storage/recover/page_reads.h"
#include "storage/recover/segment_scan.h"

namespace penstock {
namespace {

Result<bool> holds(VolumeDevice& device, const SegmentHeader& segment, std::uint64_t sequence) {
  SegmentScan scan(device, segment, footer_page(segment.segment_bytes));
  for (std::uint32_t from = 1;;) {
    auto found = scan.search(from);
    if (!found) return std::unexpected(std::move(found.error()));
    if (!*found) return false;
    if ((*found)->header.sequence == sequence) return true;
    from = (*found)->position + (*found)->header.length / kPageBytes;
  }
}

// Whether no segment has this block, which lies between two of them.
Result<bool> is_missing(VolumeDevice& device, const KnownBlocks& known, std::uint64_t sequence) {
  const auto behind_it = std::ranges::upper_bound(
      known.segments, sequence, {}, [](const KeptSegment& s) { return s.header.base_sequence; });
  if (behind_it == known.segments.begin() || behind_it == known.segments.end()) return false;
  const KeptSegment& before = *std::prev(behind_it);
  if (before.closed) return behind(before.footer).value <= sequence;
  auto held = holds(device, before.header, sequence);
  if (!held) return held;
  return !*held;
}

// Nothing where no slot with a header has blocks of the log.
const KnownBlocks* find(const std::map<LogNumber, KnownBlocks>& known, std::uint32_t log) {
  const auto at = known.find(LogNumber(log));
  return at == known.end() || at->second.segments.empty() ? nullptr : &at->second;
}

// Whether the log does not have the block, and cannot have lost it in a crash.
Result<bool> is_lost(VolumeDevice& device, const BlockHeader& header, const KnownBlocks* log) {
  if (log == nullptr) return header.durable_sequence > 0;
  if (header.sequence < log->segments.front().header.base_sequence) return false;
  if (header.durable_sequence > log->end.value) return true;
  return is_missing(device, *log, header.sequence);
}

// Whether what lies behind the slot's header is worth reading, by its first page: the first one of
// a block that was not retired, or a damaged one.
bool is_promising(std::span<const std::byte> page, const Superblock& superblock,
                  const std::map<LogNumber, KnownBlocks>& known) {
  const auto block = load<BlockHeader>(page);
  if (block.magic != kBlockMagic || block.volume != superblock.volume) return !all_zero(page);
  const KnownBlocks* log = find(known, block.log);
  return log == nullptr || block.sequence >= log->segments.front().header.base_sequence;
}

}  // namespace

Result<bool> has_lost_header(VolumeDevice& device, const Superblock& superblock, SlotIndex slot,
                             const std::map<LogNumber, KnownBlocks>& known) {
  const PageBuffer buffer = allocate_pages(kPageBytes);
  const std::span page(buffer.get(), kPageBytes);
  auto read = read_pages(device, slot, 1, page);
  if (!read) return std::unexpected(std::move(read.error()));
  if (read->empty() && !is_promising(page, superblock, known)) return false;

  SegmentHeader any{};
  any.volume = superblock.volume;
  any.slot = slot.value;
  any.segment_bytes = superblock.segment_bytes;
  SegmentScan scan(device, any, footer_page(any.segment_bytes));
  bool lost = false;
  for (std::uint32_t from = 1; !lost;) {
    auto found = scan.search(from);
    if (!found) return std::unexpected(std::move(found.error()));
    if (!*found) return false;
    const BlockHeader& header = (*found)->header;
    auto judged = is_lost(device, header, find(known, header.log));
    if (!judged) return std::unexpected(std::move(judged.error()));
    lost = *judged;
    from = (*found)->position + header.length / kPageBytes;
  }
  // A running node may have taken the slot since.
  read = read_pages(device, slot, 0, page);
  if (!read) return std::unexpected(std::move(read.error()));
  const auto header = decode_segment_header(page);
  return header && header->state == SlotState::kFree;
}

}  // namespace penstock
