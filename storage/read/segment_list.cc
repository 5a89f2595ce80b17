#include "storage/read/segment_list.h"

#include <algorithm>
#include <limits>

namespace penstock {
namespace {

std::uint64_t sequence_of(const KeptSegment& segment) { return segment.header.sequence; }

// The first block behind a closed segment.
BlockSequence behind(const SegmentFooter& footer) {
  return BlockSequence(footer.base_sequence + footer.block_count);
}

}  // namespace

LogEnd end_of(const LogWatermarks& watermarks) {
  return {watermarks.durable, watermarks.slot, watermarks.generation, watermarks.position};
}

LogEnd end_of(const RecoveredLog& log) {
  LogEnd end = end_of(log.end);
  end.durable = log.start.next_sequence;
  return end;
}

void SegmentList::find_ends() {
  ends_.resize(segments_.size());
  BlockSequence end(std::numeric_limits<std::uint64_t>::max());
  for (std::size_t i = segments_.size(); i-- > 0;) {
    const KeptSegment& segment = segments_[i];
    ends_[i] = end;
    if (segment.closed) ends_[i] = std::min(end, behind(segment.footer));
    end = std::min(end, BlockSequence(segment.header.base_sequence));
  }
}

BlockSequence SegmentList::begin(std::size_t i) const {
  return std::min(BlockSequence(segments_[i].header.base_sequence), end(i));
}

std::size_t SegmentList::find(SegmentSequence sequence) const {
  const auto found = std::ranges::lower_bound(segments_, sequence.value, {}, sequence_of);
  return static_cast<std::size_t>(found - segments_.begin());
}

SegmentSequence SegmentList::oldest_kept() const {
  std::uint64_t oldest = 0;
  for (const KeptSegment& segment : segments_) {
    oldest = std::max(oldest, segment.header.oldest_sequence);
  }
  return SegmentSequence(oldest);
}

Result<std::optional<SegmentHeader>> SegmentList::read_header(SlotIndex slot) {
  const PageBuffer page = allocate_pages(kPageBytes);
  const std::span bytes(page.get(), kPageBytes);
  if (auto read = volume_->device().read(slot, 0, bytes); !read) {
    if (read.error().code == Errc::kNotFound) return std::nullopt;  // removed meanwhile
    return std::unexpected(std::move(read.error()));
  }
  const auto header = decode_segment_header(bytes);
  if (!header || header->state != SlotState::kUsed || header->log != log_.value ||
      header->slot != slot.value || header->volume != volume_->superblock().volume ||
      header->segment_bytes != volume_->superblock().segment_bytes) {
    return std::nullopt;
  }
  return *header;
}

Result<bool> SegmentList::holds(std::size_t i) {
  const PageBuffer page = allocate_pages(kPageBytes);
  const std::span bytes(page.get(), kPageBytes);
  auto read = volume_->device().read(SlotIndex(segments_[i].header.slot), 0, bytes);
  if (!read && read.error().code == Errc::kNotFound) return false;  // removed
  if (!read) return std::unexpected(std::move(read.error()));
  const auto header = decode_segment_header(bytes);
  if (!header) return header.error().code != Errc::kNotFound;
  return header->state == SlotState::kUsed && header->generation == segments_[i].header.generation;
}

Result<> SegmentList::look_for_newer(const LogEnd& end) {
  if (end.position != 0 && !segments_.empty()) {
    auto header = read_header(end.slot);
    if (!header) return std::unexpected(std::move(header.error()));
    const SegmentHeader& last = segments_.back().header;
    if (*header && (*header)->generation == end.generation.value) {
      if ((*header)->generation == last.generation) return {};
      if ((*header)->sequence == last.sequence + 1) {
        segments_.push_back({.header = **header});
        find_ends();
        return {};
      }
    }
  }
  return look_for_all();
}

Result<> SegmentList::look_for_all() {
  auto slots = volume_->device().list_slots();
  if (!slots) return std::unexpected(std::move(slots.error()));
  std::vector<KeptSegment> found;
  for (const SlotIndex slot : *slots) {
    auto header = read_header(slot);
    if (!header) return std::unexpected(std::move(header.error()));
    if (!*header) continue;
    const auto known = std::ranges::find(segments_, (*header)->generation,
                                         [](const KeptSegment& s) { return s.header.generation; });
    found.push_back(known != segments_.end() ? *known : KeptSegment{.header = **header});
  }
  std::ranges::sort(found, {}, sequence_of);
  segments_ = std::move(found);
  find_ends();
  return {};
}

Result<bool> SegmentList::learn_footer(std::size_t i) {
  KeptSegment& segment = segments_[i];
  if (segment.closed) return true;
  const SegmentHeader& header = segment.header;
  const PageBuffer page = allocate_pages(kPageBytes);
  const std::span bytes(page.get(), kPageBytes);
  auto read =
      volume_->device().read(SlotIndex(header.slot), header.segment_bytes - kPageBytes, bytes);
  if (!read) return std::unexpected(std::move(read.error()));
  const auto footer = decode_segment_footer(bytes);
  if (!footer || !closes(*footer, header)) return false;
  segment.closed = true;
  segment.footer = *footer;
  ends_[i] = std::min(ends_[i], behind(*footer));
  return true;
}

Result<std::optional<SegmentIndex>> SegmentList::read_index(std::size_t i) {
  auto closed = learn_footer(i);
  if (!closed) return std::unexpected(std::move(closed.error()));
  if (!*closed) return std::nullopt;
  const SegmentFooter& footer = segments_[i].footer;
  const std::uint64_t begin = std::uint64_t{footer.index_position} * kPageBytes;
  const std::size_t bytes = footer.segment_bytes - kPageBytes - begin;
  const PageBuffer buffer = allocate_pages(bytes);
  auto read = volume_->device().read(SlotIndex(footer.slot), begin, {buffer.get(), bytes});
  if (!read) return std::unexpected(std::move(read.error()));
  auto index = decode_segment_index({buffer.get(), bytes}, footer);
  if (!index) return std::nullopt;
  return std::move(*index);
}

}  // namespace penstock
