#include "storage/recover/unused_space.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr std::uint32_t kPiecePages = 1 * kMiB / kPageBytes;

}  // namespace

bool is_blank(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

Result<UnusedSpace> read_unused(VolumeDevice& device, const SegmentHeader& header,
                                std::uint32_t from, std::uint32_t to) {
  const PageBuffer buffer = allocate_pages(std::size_t{kPiecePages} * kPageBytes);
  UnusedSpace unused;
  while (from < to) {
    const std::uint32_t pages = std::min(kPiecePages, to - from);
    const std::span piece(buffer.get(), std::size_t{pages} * kPageBytes);
    auto read = device.read(SlotIndex(header.slot), std::uint64_t{from} * kPageBytes, piece);
    if (!read) return std::unexpected(std::move(read.error()));
    for (std::uint32_t i = 0; i < pages; ++i) {
      const auto page = piece.subspan(std::size_t{i} * kPageBytes, kPageBytes);
      if (is_blank(page)) continue;
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
