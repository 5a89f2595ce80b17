#include "storage/recover/given_away.h"

#include <algorithm>

namespace penstock {
namespace {

// How many slots the blocks may have filled that are missing between two segments.
std::uint64_t slots_between(const KeptSegment& before, const SegmentHeader& next,
                            std::uint64_t slot_pages) {
  if (before.closed) {
    const std::uint64_t end = behind(before.footer).value;
    if (next.base_sequence <= end) return 0;
    return std::max<std::uint64_t>(1, (next.base_sequence - end) / slot_pages);
  }
  // Its blocks are not counted: less than one to a page.
  const std::uint64_t end = before.header.base_sequence + slot_pages - 1;
  return next.base_sequence <= end ? 0 : 1 + (next.base_sequence - end) / slot_pages;
}

std::uint64_t slots_missing(std::span<const KeptSegment> segments, std::uint64_t slot_pages) {
  if (segments.empty()) return 0;
  // With no other one beside it when it was begun, it went on behind what slots may have held.
  const SegmentHeader& first = segments.front().header;
  std::uint64_t slots = first.oldest_sequence == 0 ? first.base_sequence / slot_pages : 0;
  for (std::size_t i = 1; i < segments.size(); ++i) {
    slots += slots_between(segments[i - 1], segments[i].header, slot_pages);
  }
  return slots;
}

}  // namespace

void raise_offsets(std::map<std::uint64_t, std::uint64_t>& offsets,
                   const std::map<std::uint64_t, std::uint64_t>& others) {
  for (const auto& [stream, offset] : others) {
    std::uint64_t& known = offsets[stream];
    known = std::max(known, offset);
  }
}

void GivenAway::add(const SegmentScan::Found& found) {
  first_sequence = std::min(first_sequence, found.header.sequence);
  next_sequence = std::max(next_sequence, found.header.sequence + 1);
  durable_sequence = std::max(durable_sequence, found.header.durable_sequence);
  if (found.position == 1) begins.emplace(found.header.sequence, found.header.previous_crc);
  BlockReader block(found.bytes);
  for (auto bytes = block.next_run(); !bytes.empty(); bytes = block.next_run()) {
    const RunReader run(bytes);
    for (std::size_t i = 0; i < run.header().capture_count; ++i) {
      const Capture capture = run.capture(i);
      std::uint64_t& next = next_offsets[capture.stream];
      next = std::max(next, capture.base_offset + run.header().message_count);
    }
  }
}

void GivenAway::add_blocks(const GivenAway& slot) {
  first_sequence = std::min(first_sequence, slot.first_sequence);
  next_sequence = std::max(next_sequence, slot.next_sequence);
  durable_sequence = std::max(durable_sequence, slot.durable_sequence);
  begins.insert(slot.begins.begin(), slot.begins.end());
  raise_offsets(next_offsets, slot.next_offsets);
}

void GivenAway::add_slot(const GivenAway& slot) {
  add_blocks(slot);
  lost_pages += slot.lost_pages;
  ++slots;
}

bool tells_its_last_use(const HeldBlocks& held,
                        const std::map<LogNumber, std::uint64_t>& first_kept) {
  if (!held.first_lost) return true;
  return std::ranges::any_of(held.logs, [&](const auto& blocks) {
    const auto first = first_kept.find(blocks.first);
    return first == first_kept.end() || blocks.second.next_sequence > first->second;
  });
}

std::uint64_t unplaced_slots(const GivenAway& given, std::span<const KeptSegment> segments) {
  if (given.unknown_slots == 0) return 0;
  // Those that are known lie in such a place, too.
  const std::uint64_t missing = slots_missing(segments, given.slot_pages);
  const std::uint64_t places = missing - std::min(missing, given.slots);
  return given.unknown_slots - std::min(given.unknown_slots, places);
}

bool may_be_older(const GivenAway& given, std::span<const KeptSegment> segments) {
  const bool unplaced = unplaced_slots(given, segments) > 0;
  if (segments.empty()) return given.slots > 0 || unplaced;
  const SegmentHeader& first = segments.front().header;
  if (given.first_sequence >= first.base_sequence && !unplaced) return false;
  return std::ranges::none_of(segments, [&](const KeptSegment& segment) {
    return segment.header.oldest_sequence == first.sequence;
  });
}

}  // namespace penstock
