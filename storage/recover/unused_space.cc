#include "storage/recover/unused_space.h"

#include <algorithm>
#include <iterator>

#include "storage/recover/page_reads.h"

namespace penstock {
namespace {

constexpr std::uint32_t kPiecePages = 1 * kMiB / kPageBytes;

}  // namespace

Result<UnusedSpace> read_unused(VolumeDevice& device, const SegmentHeader& header,
                                std::uint32_t from, std::uint32_t to) {
  const PageBuffer buffer = allocate_pages(std::size_t{kPiecePages} * kPageBytes);
  UnusedSpace unused;
  while (from < to) {
    const std::uint32_t pages = std::min(kPiecePages, to - from);
    const std::span piece(buffer.get(), std::size_t{pages} * kPageBytes);
    auto unreadable = read_pages(device, SlotIndex(header.slot), from, piece);
    if (!unreadable) return std::unexpected(std::move(unreadable.error()));
    std::ranges::copy(*unreadable, std::back_inserter(unused.unreadable));
    for (std::uint32_t i = 0; i < pages; ++i) {
      const auto page = piece.subspan(std::size_t{i} * kPageBytes, kPageBytes);
      if (all_zero(page)) continue;
      if (unused.end == 0) unused.first = from + i;
      unused.end = from + i + 1;
      const auto block = load<BlockHeader>(page);
      unused.leftover |= block.magic == kBlockMagic && block.volume == header.volume &&
                         block.position == from + i && block.generation != header.generation;
    }
    from += pages;
  }
  return unused;
}

}  // namespace penstock
