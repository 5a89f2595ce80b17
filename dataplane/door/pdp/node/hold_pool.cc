#include "dataplane/door/pdp/node/hold_pool.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::pdp {

HoldPool::HoldPool(std::size_t bytes)
    : cells_(std::max<std::size_t>(bytes / (sizeof(Cell) + sizeof(Head)), 16)),
      heads_(cells_.size()),
      gathered_(kFrameBytesMax) {
  for (std::size_t i = cells_.size(); i > 0; --i) {
    heads_[i - 1].next_cell = free_;
    free_ = static_cast<std::uint32_t>(i - 1);
  }
  free_cells_ = cells_.size();
}

std::uint32_t HoldPool::take_cell() {
  const std::uint32_t cell = free_;
  free_ = heads_[cell].next_cell;
  --free_cells_;
  heads_[cell].next_cell = kNone;
  heads_[cell].next_frame = kNone;
  return cell;
}

std::uint32_t HoldPool::store(const HeldFrame& frame) {
  const std::size_t wanted =
      std::max<std::size_t>((frame.messages.size() + kCellBytes - 1) / kCellBytes, 1);
  if (wanted > free_cells_) return kNone;
  const std::uint32_t first = take_cell();
  heads_[first].frame = frame;
  auto rest = frame.messages;
  std::uint32_t cell = first;
  for (std::size_t i = 0; i < wanted; ++i) {
    const auto part = rest.first(std::min(rest.size(), kCellBytes));
    std::ranges::copy(part, cells_[cell].begin());
    rest = rest.subspan(part.size());
    if (rest.empty()) break;
    heads_[cell].next_cell = take_cell();
    cell = heads_[cell].next_cell;
  }
  return first;
}

void HoldPool::free_frame(std::uint32_t first) {
  std::uint32_t cell = first;
  while (cell != kNone) {
    const std::uint32_t next = heads_[cell].next_cell;
    heads_[cell].next_cell = free_;
    free_ = cell;
    ++free_cells_;
    cell = next;
  }
}

std::uint32_t HoldPool::predecessor(const HeldList& list, std::uint64_t sequence) const {
  // Most come in order behind the gap.
  if (list.last != kNone && heads_[list.last].frame.sequence <= sequence) return list.last;
  std::uint32_t before = kNone;
  for (std::uint32_t at = list.first; at != kNone; at = heads_[at].next_frame) {
    if (heads_[at].frame.sequence > sequence) break;
    before = at;
  }
  return before;
}

HoldPool::Held HoldPool::hold(HeldList& list, const HeldFrame& frame) {
  const std::uint32_t before = predecessor(list, frame.sequence);
  const std::uint32_t after = before == kNone ? list.first : heads_[before].next_frame;
  if (before != kNone) {
    const HeldFrame& earlier = heads_[before].frame;
    if (frame.end() <= earlier.end()) return Held::kDuplicate;
    if (frame.sequence < earlier.end()) return Held::kOverlap;
  }
  if (after != kNone && frame.end() > heads_[after].frame.sequence) return Held::kOverlap;
  if (list.frames == kFramesPerSessionMax) return Held::kNoRoom;
  const std::uint32_t made = store(frame);
  if (made == kNone) return Held::kNoRoom;
  heads_[made].next_frame = after;
  (before == kNone ? list.first : heads_[before].next_frame) = made;
  if (after == kNone) list.last = made;
  ++list.frames;
  list.bytes += frame.frame_bytes;
  return Held::kYes;
}

HeldFrame HoldPool::front(const HeldList& list) {
  CHECK_NE(list.first, kNone);
  HeldFrame frame = heads_[list.first].frame;
  const std::size_t bytes = frame.messages.size();
  if (bytes <= kCellBytes) {
    frame.messages = std::span(cells_[list.first]).first(bytes);
    return frame;
  }
  std::size_t at = 0;
  for (std::uint32_t cell = list.first; cell != kNone; cell = heads_[cell].next_cell) {
    const std::size_t part = std::min(bytes - at, kCellBytes);
    std::memcpy(gathered_.data() + at, cells_[cell].data(), part);
    at += part;
  }
  frame.messages = std::span(gathered_).first(bytes);
  return frame;
}

void HoldPool::pop_front(HeldList& list) {
  CHECK_NE(list.first, kNone);
  const std::uint32_t first = list.first;
  list.first = heads_[first].next_frame;
  if (list.first == kNone) list.last = kNone;
  --list.frames;
  list.bytes -= heads_[first].frame.frame_bytes;
  free_frame(first);
}

void HoldPool::clear(HeldList& list) {
  while (list.first != kNone) pop_front(list);
}

std::size_t HoldPool::ranges(const HeldList& list, std::span<AckRange> into) const {
  std::size_t count = 0;
  for (std::uint32_t at = list.first; at != kNone; at = heads_[at].next_frame) {
    const HeldFrame& frame = heads_[at].frame;
    if (count > 0 && into[count - 1].end == frame.sequence) {
      into[count - 1].end = frame.end();
      continue;
    }
    if (count == into.size()) break;
    into[count++] = {frame.sequence, frame.end()};
  }
  return count;
}

}  // namespace penstock::pdp
