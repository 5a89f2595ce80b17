#include "storage/read/segment_list.h"

#include <algorithm>

#include "storage/recover/page_reads.h"

namespace penstock {
namespace {

std::uint64_t sequence_of(const KeptSegment& segment) { return segment.header.sequence; }

}  // namespace

LogEnd end_of(const LogWatermarks& watermarks) {
  return {watermarks.durable, watermarks.slot, watermarks.generation, watermarks.position};
}

LogEnd end_of(const RecoveredLog& log) {
  LogEnd end = end_of(log.end);
  end.durable = log.start.next_sequence;
  return end;
}

BlockSequence SegmentList::begin(std::size_t i) const {
  return std::min(BlockSequence(segments_[i].header.base_sequence), end(i));
}

std::size_t SegmentList::find(Generation generation) const {
  const auto found = std::ranges::find(
      segments_, generation.value, [](const KeptSegment& kept) { return kept.header.generation; });
  return static_cast<std::size_t>(found - segments_.begin());
}

SegmentSequence SegmentList::oldest_kept() const {
  std::uint64_t oldest = 0;
  for (const KeptSegment& segment : segments_) {
    oldest = std::max(oldest, segment.header.oldest_sequence);
  }
  return SegmentSequence(oldest);
}

Result<bool> SegmentList::read_page(SlotIndex slot, std::uint32_t number) {
  auto unreadable = read_pages(volume_->device(), slot, number, {page_.get(), kPageBytes});
  if (!unreadable) return std::unexpected(std::move(unreadable.error()));
  return unreadable->empty();
}

Result<std::optional<KeptSegment>> SegmentList::read_header(SlotIndex slot) {
  const auto known = [&](auto same) -> std::optional<KeptSegment> {
    const auto found = std::ranges::find_if(segments_, same);
    return found == segments_.end() ? std::nullopt : std::optional(*found);
  };
  auto readable = read_page(slot, 0);
  if (!readable && readable.error().code == Errc::kNotFound) return std::nullopt;  // removed
  if (!readable) return std::unexpected(std::move(readable.error()));
  const auto header = decode_segment_header({page_.get(), kPageBytes});
  if (!*readable || (!header && header.error().code != Errc::kNotFound)) {
    // A damaged header does not say that the slot holds another segment now.
    return known([&](const KeptSegment& s) { return s.header.slot == slot.value; });
  }
  if (!header || header->state != SlotState::kUsed || header->log != log_.value ||
      !belongs_to(*header, volume_->superblock(), slot)) {
    return std::nullopt;
  }
  auto same =
      known([&](const KeptSegment& s) { return s.header.generation == header->generation; });
  return same ? same : KeptSegment{.header = *header};
}

Result<bool> SegmentList::holds(std::size_t i) {
  const SegmentHeader& wanted = segments_[i].header;
  auto header = read_header(SlotIndex(wanted.slot));
  if (!header) return std::unexpected(std::move(header.error()));
  return *header && (*header)->header.generation == wanted.generation;
}

Result<> SegmentList::look_for_newer(const LogEnd& end) {
  if (end.position != 0 && !segments_.empty()) {
    auto header = read_header(end.slot);
    if (!header) return std::unexpected(std::move(header.error()));
    const SegmentHeader& last = segments_.back().header;
    if (*header && (*header)->header.generation == end.generation.value) {
      if ((*header)->header.generation == last.generation) return {};
      if ((*header)->header.sequence == last.sequence + 1) {
        segments_.push_back(**header);
        ends_ = ends_of(segments_);
        return {};
      }
    }
  }
  return look_for_all(end);
}

void SegmentList::know(std::vector<KeptSegment> segments, const LogEnd& end) {
  std::erase_if(segments, [&](const KeptSegment& segment) {
    return segment.header.base_sequence > end.durable.value;
  });
  segments_ = std::move(segments);
  ends_ = ends_of(segments_);
}

Result<> SegmentList::look_for_all(const LogEnd& end) {
  auto slots = volume_->device().list_slots();
  if (!slots) return std::unexpected(std::move(slots.error()));
  std::vector<KeptSegment> found;
  for (const SlotIndex slot : *slots) {
    auto segment = read_header(slot);
    if (!segment) return std::unexpected(std::move(segment.error()));
    if (*segment) found.push_back(**segment);
  }
  std::ranges::sort(found, {}, sequence_of);
  know(std::move(found), end);
  return {};
}

Result<bool> SegmentList::learn_footer(std::size_t i) {
  KeptSegment& segment = segments_[i];
  if (segment.closed) return true;
  const SegmentHeader& header = segment.header;
  auto readable = read_page(SlotIndex(header.slot), footer_page(header.segment_bytes));
  if (!readable && readable.error().code == Errc::kNotFound) return false;  // removed
  if (!readable) return std::unexpected(std::move(readable.error()));
  const auto footer = decode_segment_footer({page_.get(), kPageBytes});
  if (!*readable || !footer || !closes(*footer, header)) return false;
  segment.closed = true;
  segment.footer = *footer;
  ends_[i] = std::min(ends_[i], behind(*footer));
  return true;
}

Result<std::optional<SegmentIndex>> SegmentList::read_index(std::size_t i) {
  auto closed = learn_footer(i);
  if (!closed) return std::unexpected(std::move(closed.error()));
  if (!*closed) return std::nullopt;
  const KeptSegment& segment = segments_[i];
  auto read =
      penstock::read_index(volume_->device(), SlotIndex(segment.header.slot), segment.footer);
  if (!read && read.error().code == Errc::kNotFound) return std::nullopt;  // removed
  if (!read) return std::unexpected(std::move(read.error()));
  if (!read->index) return std::nullopt;
  return std::move(*read->index);
}

}  // namespace penstock
