#include "storage/recover/kept_segments.h"

#include <algorithm>
#include <limits>

#include "storage/recover/page_reads.h"

namespace penstock {
namespace {

constexpr std::size_t kSectorBytes = 512;

enum class Written : std::uint8_t { kYes, kNo, kDamaged };

// A sector of the index that should begin with `wanted`, and is zero where it is nobody's.
Written judge_sector(std::span<const std::byte> sector, std::span<const std::byte> wanted,
                     bool has_partitions) {
  const auto is = sector.first(wanted.size());
  if (!all_zero(wanted) && all_zero(sector)) return Written::kNo;
  std::size_t different = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) different += is[i] != wanted[i] ? 1U : 0U;
  std::size_t known = wanted.size();
  if (!has_partitions) {
    const auto rest = sector.subspan(wanted.size());
    known = sector.size();
    different += static_cast<std::size_t>(
        std::ranges::count_if(rest, [](std::byte b) { return b != std::byte{0}; }));
  } else if (wanted.empty()) {
    return all_zero(sector) ? Written::kNo : Written::kYes;
  }
  if (different == 0) return Written::kYes;
  return 2 * different >= known ? Written::kNo : Written::kDamaged;
}

}  // namespace

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

Result<IndexRead> read_index(VolumeDevice& device, SlotIndex slot, const SegmentFooter& footer) {
  const std::uint32_t pages = footer_page(footer.segment_bytes) - footer.index_position;
  const std::size_t size = std::size_t{pages} * kPageBytes;
  IndexRead read{.buffer = allocate_pages(size)};
  const std::span bytes(read.buffer.get(), size);
  read.bytes = bytes;
  auto unreadable = read_pages(device, slot, footer.index_position, bytes);
  if (!unreadable) return std::unexpected(std::move(unreadable.error()));
  read.unreadable = std::move(*unreadable);
  read.index = read.unreadable.empty()
                   ? decode_segment_index(bytes, footer)
                   : fail(Errc::kIoError, "segment index: the drive does not give its bytes");
  return read;
}

bool is_unfinished(std::span<const std::byte> bytes, const SegmentFooter& footer,
                   std::span<const IndexEntry> blocks) {
  if (blocks.size() != footer.block_count) return false;
  const auto wanted = std::as_bytes(blocks);
  const std::size_t entries = wanted.size() + footer.partition_count * sizeof(PartitionEntry);
  bool unfinished = false;
  for (std::size_t at = 0; at < bytes.size(); at += kSectorBytes) {
    const auto of_blocks = wanted.subspan(std::min(at, wanted.size()));
    const bool has_partitions = at + kSectorBytes > wanted.size() && at < entries;
    const Written written =
        judge_sector(bytes.subspan(at, kSectorBytes),
                     of_blocks.first(std::min(of_blocks.size(), kSectorBytes)), has_partitions);
    if (written == Written::kDamaged) return false;
    unfinished |= written == Written::kNo;
  }
  return unfinished;
}

}  // namespace penstock
