#include "storage/recover/segment_scan.h"

#include <algorithm>

#include "storage/recover/page_reads.h"

namespace penstock {
namespace {

constexpr std::uint32_t kWindowPages = 2 * kBlockBytesMax / kPageBytes;
// One read; more only for a longer block.
constexpr std::uint32_t kReadPages = 1 * kMiB / kPageBytes;

}  // namespace

SegmentScan::SegmentScan(VolumeDevice& device, const SegmentHeader& segment,
                         std::uint32_t end_position)
    : device_(device),
      segment_(segment),
      end_position_(static_cast<std::uint32_t>(segment.segment_bytes / kPageBytes)),
      window_pages_(std::min(kWindowPages, end_position_)),
      buffer_(allocate_pages(std::size_t{window_pages_} * kPageBytes)) {
  if (end_position != 0) end_position_ = std::min(end_position_, end_position);
}

Result<std::span<const std::byte>> SegmentScan::window(std::uint32_t position,
                                                       std::uint32_t pages) {
  const std::uint32_t end = std::min(position + pages, end_position_);
  if (position < window_begin_ || position > window_end_) window_begin_ = window_end_ = position;
  if (end > window_end_) {
    if (end - window_begin_ > window_pages_) {
      // Keep what lies ahead, forget what lies behind.
      const std::size_t keep = std::size_t{window_end_ - position} * kPageBytes;
      std::memmove(buffer_.get(),
                   buffer_.get() + std::size_t{position - window_begin_} * kPageBytes, keep);
      window_begin_ = position;
    }
    const std::uint32_t wanted = std::max(end, std::min(window_end_ + kReadPages, end_position_));
    const std::uint32_t to = std::min(wanted, window_begin_ + window_pages_);
    const std::span into(buffer_.get() + std::size_t{window_end_ - window_begin_} * kPageBytes,
                         std::size_t{to - window_end_} * kPageBytes);
    auto unreadable = read_pages(device_, SlotIndex(segment_.slot), window_end_, into);
    if (!unreadable) return std::unexpected(std::move(unreadable.error()));
    unreadable_.erase(unreadable_.lower_bound(window_end_), unreadable_.lower_bound(to));
    unreadable_.insert(unreadable->begin(), unreadable->end());
    bytes_read_ += into.size();
    window_end_ = to;
  }
  return std::span<const std::byte>(
      buffer_.get() + std::size_t{position - window_begin_} * kPageBytes,
      std::size_t{window_end_ - position} * kPageBytes);
}

Result<std::optional<SegmentScan::Found>> SegmentScan::here() {
  if (at_end()) {
    fault_ = BlockFault::kNeverWritten;
    return std::nullopt;
  }
  auto bytes = window(position_, 1);
  if (!bytes) return std::unexpected(std::move(bytes.error()));
  const auto header = load<BlockHeader>(*bytes);
  const bool sized = header.magic == kBlockMagic && header.length <= kBlockBytesMax;
  if (sized && header.length > bytes->size()) {
    bytes = window(position_, header.length / kPageBytes);
    if (!bytes) return std::unexpected(std::move(bytes.error()));
  }
  const bool any = segment_.generation == 0;
  const BlockPlace place{segment_.volume, LogNumber(any ? header.log : segment_.log),
                         Generation(any ? header.generation : segment_.generation), position_};
  fault_ = is_unreadable(sized ? std::max(header.length / kPageBytes, 1U) : 1)
               ? BlockFault::kUnreadable
               : check_block(*bytes, place);
  if (fault_ != BlockFault::kNone) return std::nullopt;
  return Found{position_, header, bytes->first(header.length)};
}

Result<std::optional<SegmentScan::Found>> SegmentScan::search(std::uint32_t from) {
  const std::uint32_t resume = position_;
  for (position_ = from; !at_end(); ++position_) {
    auto bytes = window(position_, 1);
    if (!bytes) return std::unexpected(std::move(bytes.error()));
    if (load<std::uint32_t>(*bytes) != kBlockMagic) continue;
    auto found = here();
    if (!found || *found) return found;
  }
  position_ = resume;
  return std::nullopt;
}

Result<bool> SegmentScan::proves(std::uint32_t from, BlockSequence durable) {
  const std::uint32_t resume = position_;
  bool proven = false;
  while (!proven) {
    auto found = search(from);
    if (!found) return std::unexpected(std::move(found.error()));
    if (!*found) break;
    proven = (*found)->header.durable_sequence > durable.value;
    from = (*found)->position + 1;
  }
  position_ = resume;
  return proven;
}

}  // namespace penstock
