#include "storage/recover/recovery.h"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>

#include "storage/recover/log_recovery.h"
#include "storage/recover/lost_header.h"
#include "storage/recover/page_reads.h"
#include "storage/recover/unused_space.h"

namespace penstock {
namespace {

// A node that writes may take, retire and remove slots under a reader's eyes.
constexpr int kLooks = 5;

class VolumeRecovery {
 public:
  explicit VolumeRecovery(Volume& volume) : volume_(volume), device_(volume.device()) {}

  Result<RecoveredVolume> run();
  // After run(): slots whose header was lost.
  Result<std::set<SlotIndex>> lost_headers();
  // Before run().
  void distrust(std::set<SlotIndex> slots) { distrusted_ = std::move(slots); }

 private:
  Result<> sort_slot(SlotIndex slot);
  Result<> sort_segment(const SegmentHeader& header);
  Result<> sort_blank(SlotIndex slot);
  Result<HeldBlocks> blocks_in(SlotIndex slot);
  Result<bool> is_blank(SlotIndex slot);
  Result<> quarantine(SlotIndex slot, Finding::Kind kind, std::string what);
  void leave(SlotIndex slot, HeldBlocks held, Finding::Kind kind, std::string what);
  Result<> recover_logs();
  // Reads one page; false when the drive does not give it.
  Result<bool> read_page(SlotIndex slot, std::uint32_t number) {
    result_.bytes_read += kPageBytes;
    auto unreadable = read_pages(device_, slot, number, page());
    if (!unreadable) return std::unexpected(std::move(unreadable.error()));
    return unreadable->empty();
  }
  [[nodiscard]] std::span<std::byte> page() { return {page_.get(), kPageBytes}; }

  Volume& volume_;
  VolumeDevice& device_;
  PageBuffer page_ = allocate_pages(kPageBytes);
  RecoveredVolume result_;
  std::map<LogNumber, LogParts> logs_;
  std::set<SlotIndex> distrusted_;    // that say they are free and are not
  std::vector<SlotIndex> said_free_;  // the others that say so
  std::vector<HeldBlocks> held_;      // by slots without a readable header
  std::uint64_t of_this_volume_ = 0;  // slots, by their headers ...
  std::uint64_t of_another_ = 0;
};

Result<RecoveredVolume> VolumeRecovery::run() {
  auto slots = device_.list_slots();
  if (!slots) return std::unexpected(std::move(slots.error()));
  for (const SlotIndex slot : *slots) {
    auto sorted = sort_slot(slot);
    // Removed since it was listed.
    if (!sorted && sorted.error().code == Errc::kNotFound) continue;
    if (!sorted) return std::unexpected(std::move(sorted.error()));
  }
  if (of_another_ > 0 && of_this_volume_ == 0) {
    // Going on would leave all slots aside and give every offset away once more.
    return fail(Errc::kCorrupt,
                fmt::format("volume {}: its superblock is of another volume than its {} segments; "
                            "nothing is touched. Put theirs back, or wipe all of it if it is "
                            "really free",
                            device_.name(), of_another_));
  }
  if (auto done = recover_logs(); !done) return std::unexpected(std::move(done.error()));
  return result_;
}

Result<> VolumeRecovery::recover_logs() {
  std::map<LogNumber, std::uint64_t> first_kept;
  for (const auto& [number, parts] : logs_) {
    first_kept[number] =
        std::ranges::min(parts.segments | std::views::transform([](const KeptSegment& s) {
                           return s.header.base_sequence;
                         }));
  }
  LogParts nothing;
  nothing.given.slot_pages = volume_.superblock().segment_bytes / kPageBytes;
  for (const HeldBlocks& held : held_) {
    const bool tells = tells_its_last_use(held, first_kept);
    nothing.given.doubtful |= !tells || held.logs.empty();
    if (!tells) ++nothing.given.unknown_slots;
    for (const auto& [number, given] : held.logs) {
      GivenAway& log = logs_[number].given;
      tells ? log.add_slot(given) : log.add_blocks(given);
    }
  }
  for (auto& [number, parts] : logs_) {
    parts.given.doubtful = nothing.given.doubtful;
    parts.given.unknown_slots = nothing.given.unknown_slots;
    parts.given.slot_pages = nothing.given.slot_pages;
    auto log = recover_log(device_, std::move(parts), result_);
    if (!log) return std::unexpected(std::move(log.error()));
    result_.logs[number] = std::move(*log);
  }
  auto fresh = recover_log(device_, std::move(nothing), result_);
  if (!fresh) return std::unexpected(std::move(fresh.error()));
  result_.new_log = std::move(fresh->start);
  return {};
}

Result<std::set<SlotIndex>> VolumeRecovery::lost_headers() {
  std::map<LogNumber, KnownBlocks> known;
  for (const auto& [number, log] : result_.logs) {
    known[number] = {log.segments, log.start.next_sequence};
  }
  std::set<SlotIndex> lost;
  for (const SlotIndex slot : said_free_) {
    auto judged = has_lost_header(device_, volume_.superblock(), slot, known);
    if (!judged && judged.error().code == Errc::kNotFound) continue;  // removed since
    if (!judged) return std::unexpected(std::move(judged.error()));
    if (*judged) lost.insert(slot);
  }
  return lost;
}

// Reads a slot's header and puts it where it belongs.
Result<> VolumeRecovery::sort_slot(SlotIndex slot) {
  auto readable = read_page(slot, 0);
  if (!readable) return std::unexpected(std::move(readable.error()));
  if (!*readable) {
    return quarantine(slot, Finding::Kind::kUnreadable,
                      "segment header: the drive does not give its bytes");
  }
  const auto header = decode_segment_header(page());
  if (!header && header.error().code != Errc::kNotFound) {
    return quarantine(slot, Finding::Kind::kCorruptHeader, header.error().what);
  }
  if (header) {
    const bool ours = header->volume == volume_.superblock().volume;
    ++(ours ? of_this_volume_ : of_another_);
  }
  if (header && !belongs_to(*header, volume_.superblock(), slot)) {
    return quarantine(slot, Finding::Kind::kCorruptHeader,
                      header->volume == volume_.superblock().volume
                          ? "segment header: of another slot"
                          : "segment header: of another volume");
  }
  if (header && header->state == SlotState::kUsed) return sort_segment(*header);
  if (!header) return sort_blank(slot);
  if (distrusted_.contains(slot)) {
    return quarantine(slot, Finding::Kind::kCorruptHeader,
                      "segment header: says that the slot is free, but its blocks were durable");
  }
  said_free_.push_back(slot);
  result_.free_slots.push_back(slot);
  return {};
}

Result<> VolumeRecovery::sort_segment(const SegmentHeader& header) {
  const SlotIndex slot(header.slot);
  const std::uint32_t number = footer_page(header.segment_bytes);
  KeptSegment kept{.header = header};
  auto readable = read_page(slot, number);
  if (!readable) return std::unexpected(std::move(readable.error()));
  const auto footer = decode_segment_footer(page());
  const auto find = [&](Finding::Kind kind, std::string_view what) {
    result_.findings.push_back({kind, slot, std::uint64_t{number} * kPageBytes, kPageBytes,
                                fmt::format("{}; the segment's blocks are read instead", what)});
  };
  if (!*readable) {
    find(Finding::Kind::kUnreadable, "segment footer: the drive does not give its bytes");
  } else if (footer && closes(*footer, header)) {
    kept.closed = true;
    kept.footer = *footer;
  } else if (footer) {
    // The page was blank before the slot was used; unless another use of it began just now.
    auto again = was_used_again(device_, header);
    if (!again) return std::unexpected(std::move(again.error()));
    if (!*again) find(Finding::Kind::kCorruptFooter, "segment footer: of another segment");
  } else if (footer.error().code != Errc::kNotFound) {
    find(Finding::Kind::kCorruptFooter, footer.error().what);
  }
  logs_[LogNumber(header.log)].segments.push_back(kept);
  return {};
}

// Made and never used; or its header is lost, if there are blocks. A node that took the slot
// meanwhile gave it a header first.
Result<> VolumeRecovery::sort_blank(SlotIndex slot) {
  auto held = blocks_in(slot);
  if (!held) return std::unexpected(std::move(held.error()));
  if (held->logs.empty() && !held->first_lost) {
    result_.free_slots.push_back(slot);
    return {};
  }
  auto readable = read_page(slot, 0);
  if (!readable) return std::unexpected(std::move(readable.error()));
  if (*readable && !all_zero(page())) return sort_slot(slot);
  leave(slot, std::move(*held), Finding::Kind::kCorruptHeader,
        "segment header: blank, in front of blocks");
  return {};
}

Result<HeldBlocks> VolumeRecovery::blocks_in(SlotIndex slot) {
  const Superblock& superblock = volume_.superblock();
  SegmentHeader any{};
  any.volume = superblock.volume;
  any.slot = slot.value;
  any.segment_bytes = superblock.segment_bytes;
  SegmentScan scan(device_, any, footer_page(any.segment_bytes));
  HeldBlocks blocks;
  std::map<LogNumber, GivenAway>& held = blocks.logs;
  std::uint32_t from = 1;
  LogNumber log;
  for (;;) {
    auto found = scan.search(from);
    if (!found) return std::unexpected(std::move(found.error()));
    if (!*found) break;
    log = LogNumber((*found)->header.log);
    if (held.empty()) blocks.first_lost = (*found)->position != 1;
    held[log].add(**found);
    // Blocks have no pages between them.
    held[log].lost_pages += (*found)->position - from;
    from = (*found)->position + (*found)->header.length / kPageBytes;
  }
  scan.go_to(from);
  auto behind = scan.here();
  if (!behind) return std::unexpected(std::move(behind.error()));
  const bool may_hold_more = !scan.at_end() && scan.fault() != BlockFault::kNeverWritten;
  if (!held.empty() && may_hold_more) held[log].lost_pages += footer_page(any.segment_bytes) - from;
  result_.bytes_read += scan.bytes_read();
  if (!held.empty()) return blocks;
  auto blank = is_blank(slot);
  if (!blank) return std::unexpected(std::move(blank.error()));
  blocks.first_lost = !*blank;
  return blocks;
}

// Behind its header.
Result<bool> VolumeRecovery::is_blank(SlotIndex slot) {
  SegmentHeader any{};
  any.slot = slot.value;
  const std::uint32_t end = footer_page(volume_.superblock().segment_bytes) + 1;
  auto unused = read_unused(device_, any, 1, end);
  if (!unused) return std::unexpected(std::move(unused.error()));
  result_.bytes_read += std::uint64_t{end - 1} * kPageBytes;
  return unused->end == 0 && unused->unreadable.empty();
}

Result<> VolumeRecovery::quarantine(SlotIndex slot, Finding::Kind kind, std::string what) {
  auto held = blocks_in(slot);
  if (!held) return std::unexpected(std::move(held.error()));
  leave(slot, std::move(*held), kind, std::move(what));
  return {};
}

// The slot is left as it is. Which segment it held is not known, but what its blocks were given
// must not be given again.
void VolumeRecovery::leave(SlotIndex slot, HeldBlocks held, Finding::Kind kind, std::string what) {
  held_.push_back(std::move(held));
  result_.quarantined_slots.push_back(slot);
  result_.findings.push_back({kind, slot, 0, volume_.superblock().segment_bytes,
                              std::move(what) + "; the slot is left as it is"});
}

// What slots without a header hold is known only when the logs are.
Result<RecoveredVolume> recover_once(Volume& volume) {
  VolumeRecovery recovery(volume);
  auto recovered = recovery.run();
  if (!recovered) return recovered;
  auto lost = recovery.lost_headers();
  if (!lost) return std::unexpected(std::move(lost.error()));
  if (lost->empty()) return recovered;
  VolumeRecovery again(volume);
  again.distrust(std::move(*lost));
  return again.run();
}

bool is_missing(const Finding& finding) { return finding.kind == Finding::Kind::kMissingSegment; }

}  // namespace

std::string_view to_string(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::kTornTail: return "torn_tail";
    case Finding::Kind::kUnreadable: return "unreadable";
    case Finding::Kind::kCorruptBlock: return "corrupt_block";
    case Finding::Kind::kCorruptHeader: return "corrupt_header";
    case Finding::Kind::kCorruptFooter: return "corrupt_footer";
    case Finding::Kind::kMissingSegment: return "missing_segment";
    case Finding::Kind::kUnusedNotBlank: return "unused_not_blank";
    case Finding::Kind::kWrongCatalogue: return "wrong_catalogue";
    case Finding::Kind::kWrongIndex: return "wrong_index";
    case Finding::Kind::kWrongOffsets: return "wrong_offsets";
    case Finding::Kind::kCorruptSuperblock: return "corrupt_superblock";
  }
  return "unknown";
}

bool has_unreadable(const std::vector<Finding>& findings, SlotIndex slot) {
  return std::ranges::any_of(findings, [&](const Finding& finding) {
    return finding.kind == Finding::Kind::kUnreadable && finding.slot == slot;
  });
}

RecoveredLog& find_or_begin(RecoveredVolume& volume, LogNumber log) {
  const auto [at, fresh] = volume.logs.try_emplace(log);
  if (fresh) at->second.start = volume.new_log;
  return at->second;
}

// A slot that is gone, or a segment that is missing between two others, may be a node's doing
// between two of our reads: then another look finds it otherwise.
Result<RecoveredVolume> recover_volume(Volume& volume) {
  for (int look = 1;; ++look) {
    auto recovered = recover_once(volume);
    const bool gone = !recovered && recovered.error().code == Errc::kNotFound;
    const bool missing = recovered && std::ranges::any_of(recovered->findings, is_missing);
    if ((!gone || look == kLooks) && (!missing || look > 1)) return recovered;
  }
}

}  // namespace penstock
