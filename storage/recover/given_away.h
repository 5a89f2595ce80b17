// What slots without a readable header took of a log's numbers: none of those is given again.
#pragma once

#include <map>
#include <set>

#include "storage/recover/kept_segments.h"
#include "storage/recover/segment_scan.h"

namespace penstock {

// By stream: an offset that is higher in the other one counts.
void raise_offsets(std::map<std::uint64_t, std::uint64_t>& offsets,
                   const std::map<std::uint64_t, std::uint64_t>& others);

// What blocks in slots without a readable header were given: their log goes on behind it.
struct GivenAway {
  std::uint64_t first_sequence = ~std::uint64_t{0};
  std::uint64_t next_sequence = 0;
  std::uint64_t durable_sequence = 0;  // blocks before it were durable
  // The first block of each slot, and what it follows: its previous_crc.
  std::set<std::pair<std::uint64_t, std::uint32_t>> begins;
  std::map<std::uint64_t, std::uint64_t> next_offsets;  // by stream
  std::uint64_t slots = 0;                              // that hold such blocks
  std::uint64_t lost_pages = 0;  // of these slots, which may hold damaged ones
  bool doubtful = false;         // a slot says nothing of what it held

  // Slots in which nothing is left of what they held last, of any log: one may have been filled
  // with the newest blocks of this one.
  std::uint64_t unknown_slots = 0;
  std::uint64_t slot_pages = 0;  // of each

  void add(const SegmentScan::Found& found);
  // What another slot holds; of an unknown one its blocks only.
  void add_slot(const GivenAway& slot);
  void add_blocks(const GivenAway& slot);
};

// What a slot without a readable header holds.
struct HeldBlocks {
  std::map<LogNumber, GivenAway> logs;
  // Where its first block would be there is none, and it is not blank either.
  bool first_lost = false;
};

// Whether something is left of what the slot held last: blocks that the log has not retired.
// Blocks of an earlier use say nothing of the one behind them. `first_kept`: by log, the first
// block of its segments.
[[nodiscard]] bool tells_its_last_use(const HeldBlocks& held,
                                      const std::map<LogNumber, std::uint64_t>& first_kept);

// Of the unknown slots those whose blocks may be the log's newest, or its oldest: there are so many
// more of them than the blocks may have filled that are missing between the log's segments (oldest
// first). Once the log has gone on behind what the slots may have held, such blocks are missing.
[[nodiscard]] std::uint64_t unplaced_slots(const GivenAway& given,
                                           std::span<const KeptSegment> segments);

// Whether those blocks may be in front of all the log's segments (oldest first). None is when a
// header says that the log began with the first of these: what is older was retired.
[[nodiscard]] bool may_be_older(const GivenAway& given, std::span<const KeptSegment> segments);

}  // namespace penstock
