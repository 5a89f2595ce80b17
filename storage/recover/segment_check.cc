#include "storage/recover/segment_check.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "storage/recover/index_check.h"
#include "storage/recover/page_reads.h"
#include "storage/recover/unused_space.h"

namespace penstock {
namespace {

class SegmentChecker {
 public:
  SegmentChecker(VolumeDevice& device, const Superblock& superblock, SlotIndex slot,
                 const SegmentContext& context, OffsetTrack& offsets)
      : device_(device),
        superblock_(superblock),
        slot_(slot),
        context_(context),
        offsets_(offsets),
        footer_page_(footer_page(superblock.segment_bytes)),
        contents_(offsets) {}

  Result<SegmentCheck> run();

 private:
  enum class FooterState : std::uint8_t { kNone, kWhole, kDamaged };

  [[nodiscard]] std::span<std::byte> page() { return {page_.get(), kPageBytes}; }
  // Reads one page; false when the drive does not give it.
  Result<bool> read_page(std::uint32_t number) {
    auto unreadable = read_pages(device_, slot_, number, page());
    if (!unreadable) return std::unexpected(std::move(unreadable.error()));
    unreadable_.insert(unreadable->begin(), unreadable->end());
    return unreadable->empty();
  }
  Result<> check_unknown();
  Result<> check_never_used();
  Result<> check_free();
  Result<> check_used();
  Result<> read_footer();
  Result<> read_segment_index();
  Result<> check_by_index(SegmentScan& scan);
  Result<> check_in_order(SegmentScan& scan, std::uint32_t stop);
  // The next whole block from there on. `proven`: some block there proves the missing one.
  Result<std::optional<SegmentScan::Found>> find_next(SegmentScan& scan, std::uint32_t from,
                                                      bool& proven) const;
  void take(const SegmentScan::Found& found);
  void find_in_index(std::size_t number);
  // `leftover`: the slot is known to have been used before.
  Result<> account_tail(std::uint32_t from, bool leftover);
  void account_unreadable();
  void find(Finding::Kind kind, std::uint32_t from, std::uint32_t to, std::string what);

  VolumeDevice& device_;
  const Superblock& superblock_;
  SlotIndex slot_;
  const SegmentContext& context_;
  OffsetTrack& offsets_;
  std::uint32_t footer_page_;
  PageBuffer page_ = allocate_pages(kPageBytes);
  SegmentCheck result_;

  SegmentHeader header_{};
  FooterState footer_state_ = FooterState::kNone;
  SegmentFooter footer_{};
  std::optional<SegmentIndex> index_;  // of a closed segment, if it is whole
  SegmentContents contents_;
  std::set<std::uint32_t> unreadable_;  // pages
  std::uint32_t tail_ = 0;              // pages [tail_, tail_end_) are unused
  std::uint32_t tail_end_ = 0;
};

void SegmentChecker::find(Finding::Kind kind, std::uint32_t from, std::uint32_t to,
                          std::string what) {
  result_.findings.push_back({kind, slot_, std::uint64_t{from} * kPageBytes,
                              std::uint64_t{to - from} * kPageBytes, std::move(what)});
}

Result<SegmentCheck> SegmentChecker::run() {
  auto readable = read_page(0);
  if (!readable) return std::unexpected(std::move(readable.error()));
  auto header = decode_segment_header(page());
  header_.volume = superblock_.volume;
  header_.slot = slot_.value;
  Result<> done;
  if (!*readable || (header ? !belongs_to(*header, superblock_, slot_)
                            : header.error().code != Errc::kNotFound)) {
    if (*readable) {
      find(Finding::Kind::kCorruptHeader, 0, 1,
           (header ? "segment header: of another place" : header.error().what) +
               "; what the slot holds cannot be told");
    }
    done = check_unknown();
  } else if (!header) {
    done = check_never_used();
  } else {
    header_ = *header;
    done = header_.state == SlotState::kFree ? check_free() : check_used();
  }
  if (!done) return std::unexpected(std::move(done.error()));
  account_unreadable();
  result_.totals.messages = contents_.messages();
  result_.totals.payload_bytes = contents_.payload_bytes();
  return std::move(result_);
}

// Without a header: only whether the drive gives the bytes.
Result<> SegmentChecker::check_unknown() {
  auto rest = read_unused(device_, header_, 1, footer_page_ + 1);
  if (!rest) return std::unexpected(std::move(rest.error()));
  unreadable_.insert(rest->unreadable.begin(), rest->unreadable.end());
  result_.totals.bytes_checked = kPageBytes;
  result_.totals.unreadable_bytes = superblock_.segment_bytes - kPageBytes;
  tail_ = 1;
  tail_end_ = footer_page_ + 1;
  return {};
}

// Made and filled with zeros, but never given a header.
Result<> SegmentChecker::check_never_used() {
  auto unused = read_unused(device_, header_, 1, footer_page_ + 1);
  if (!unused) return std::unexpected(std::move(unused.error()));
  unreadable_.insert(unused->unreadable.begin(), unused->unreadable.end());
  if (unused->end != 0) {
    find(Finding::Kind::kUnusedNotBlank, unused->first, unused->end,
         "the slot has no header and is not blank");
  }
  result_.totals.bytes_checked = superblock_.segment_bytes;
  return {};
}

// Retired, with all that it held but the header, or made ready: without a footer.
Result<> SegmentChecker::check_free() {
  result_.totals.bytes_checked = 2 * kPageBytes;
  auto readable = read_page(footer_page_);
  if (!readable) return std::unexpected(std::move(readable.error()));
  const auto footer = decode_segment_footer(page());
  if (!footer && footer.error().code != Errc::kNotFound) {
    find(Finding::Kind::kUnusedNotBlank, footer_page_, footer_page_ + 1,
         "a free slot: its last page is neither blank nor an old footer");
  }
  return account_tail(1, footer.has_value());
}

Result<> SegmentChecker::check_used() {
  ++result_.totals.segments;
  result_.totals.bytes_checked = kPageBytes;
  result_.next = BlockSequence(header_.base_sequence);
  result_.last_crc = header_.previous_crc;
  if (auto done = read_footer(); !done) return done;
  const bool closed = footer_state_ == FooterState::kWhole;
  ++(closed ? result_.totals.closed : result_.totals.open);
  if (closed) {
    if (auto done = read_segment_index(); !done) return done;
  }
  SegmentScan scan(device_, header_, footer_page_);
  auto done = index_ ? check_by_index(scan)
                     : check_in_order(scan, closed ? footer_.index_position : footer_page_);
  if (!done) return done;
  const std::uint32_t end = scan.position();
  unreadable_.insert(scan.unreadable().begin(), scan.unreadable().end());
  result_.totals.bytes_checked += std::uint64_t{end - 1} * kPageBytes;
  if (!result_.whole) offsets_.doubt();
  if (closed) {
    if (result_.whole && index_) compare_index(*index_, footer_, contents_, result_.findings);
    if (result_.whole) compare_footer(footer_, contents_, result_.findings);
    result_.totals.bytes_checked += superblock_.segment_bytes - std::uint64_t{end} * kPageBytes;
    return {};
  }
  result_.totals.bytes_checked += kPageBytes;  // the footer's
  return account_tail(end, header_.oldest_sequence > 1);
}

Result<> SegmentChecker::read_footer() {
  auto readable = read_page(footer_page_);
  if (!readable) return std::unexpected(std::move(readable.error()));
  const auto footer = decode_segment_footer(page());
  if (!footer) {
    if (*readable && footer.error().code == Errc::kNotFound) return {};
    footer_state_ = FooterState::kDamaged;
    if (*readable) {
      find(Finding::Kind::kCorruptFooter, footer_page_, footer_page_ + 1, footer.error().what);
    }
    return {};
  }
  footer_ = *footer;
  footer_state_ = FooterState::kWhole;
  const bool ours = closes(*footer, header_);
  if (!ours || footer->slot != header_.slot || footer->segment_bytes != header_.segment_bytes ||
      footer->base_sequence != header_.base_sequence) {
    footer_state_ = FooterState::kDamaged;
    find(Finding::Kind::kCorruptFooter, footer_page_, footer_page_ + 1,
         ours ? "segment footer: contradicts the header" : "segment footer: of another segment");
  }
  return {};
}

Result<> SegmentChecker::read_segment_index() {
  auto read = read_index(device_, slot_, footer_);
  if (!read) return std::unexpected(std::move(read.error()));
  unreadable_.insert(read->unreadable.begin(), read->unreadable.end());
  if (read->index) {
    index_ = std::move(*read->index);
  } else if (read->unreadable.empty()) {
    find(Finding::Kind::kCorruptFooter, footer_.index_position, footer_page_,
         read->index.error().what);
  }
  return {};
}

Result<> SegmentChecker::check_by_index(SegmentScan& scan) {
  for (std::size_t i = 0; i < index_->blocks.size(); ++i) {
    const IndexEntry& entry = index_->blocks[i];
    const std::uint32_t end = entry.position + entry.pages;
    scan.go_to(entry.position);
    auto found = scan.here();
    if (!found) return std::unexpected(std::move(found.error()));
    const bool follows = *found && (*found)->header.sequence == result_.next.value &&
                         (*found)->header.previous_crc == result_.last_crc;
    if (follows && (*found)->header.crc == entry.crc) {
      if (!agree(entry, (*found)->header)) find_in_index(i);
      take(**found);
    } else {
      result_.whole = false;
      find(Finding::Kind::kCorruptBlock, entry.position, end,
           fmt::format("log {}: block {}: {}", header_.log, result_.next,
                       *found ? "is not the one that the index names" : to_string(scan.fault())));
      offsets_.doubt();
      contents_.add_damaged();
      ++result_.next;
      result_.last_crc = entry.crc;
    }
    scan.go_to(end);
  }
  scan.go_to(footer_.index_position);
  return {};
}

void SegmentChecker::find_in_index(std::size_t number) {
  result_.findings.push_back(
      {Finding::Kind::kWrongIndex, slot_,
       std::uint64_t{footer_.index_position} * kPageBytes + number * sizeof(IndexEntry),
       sizeof(IndexEntry),
       fmt::format("log {}: the index does not say what block {} says", header_.log,
                   result_.next)});
}

// Without an index: from block to block, looking for the next good one behind each bad one.
Result<> SegmentChecker::check_in_order(SegmentScan& scan, std::uint32_t stop) {
  BlockSequence must = context_.durable;
  if (footer_state_ == FooterState::kWhole) {
    must = BlockSequence(footer_.base_sequence + footer_.block_count);
  }
  bool joined = true;
  while (result_.next < context_.end && scan.position() < stop) {
    auto found = scan.here();
    if (!found) return std::unexpected(std::move(found.error()));
    const bool follows = *found && (joined ? (*found)->header.sequence == result_.next.value &&
                                                 (*found)->header.previous_crc == result_.last_crc
                                           : (*found)->header.sequence >= result_.next.value);
    if (follows) {
      joined = true;
      take(**found);
      scan.step_over(**found);
      continue;
    }
    const std::uint32_t bad = scan.position();
    const bool unreadable = scan.fault() == BlockFault::kUnreadable;
    const auto why = *found ? "does not follow the block before it" : to_string(scan.fault());
    bool proven = result_.next < must && result_.next < context_.end;
    auto next = find_next(scan, bad + 1, proven);
    if (!next) return std::unexpected(std::move(next.error()));
    scan.go_to(bad);
    // A crash leaves pages that are not whole, but none that the drive does not give.
    if (!proven && !(unreadable && *next)) return {};
    // The segment ends here: what follows is missing with the one behind it.
    const bool open = footer_state_ != FooterState::kWhole;
    if (open && context_.gap_behind && !*next && nothing_left(scan.fault())) return {};
    result_.whole = false;
    const std::uint32_t end = *next ? (*next)->position : stop;
    find(Finding::Kind::kCorruptBlock, bad, end,
         fmt::format("log {}: block {} was durable and is damaged: {}", header_.log, result_.next,
                     why));
    offsets_.doubt();
    scan.go_to(end);
    joined = false;
    result_.next = *next ? BlockSequence((*next)->header.sequence)
                         : std::max(result_.next, std::min(must, context_.end));
  }
  return {};
}

Result<std::optional<SegmentScan::Found>> SegmentChecker::find_next(SegmentScan& scan,
                                                                    std::uint32_t from,
                                                                    bool& proven) const {
  std::optional<std::uint32_t> next;
  for (;;) {
    auto found = scan.search(from);
    if (!found) return found;
    if (!*found) break;
    const BlockHeader& header = (*found)->header;
    const bool fits = header.sequence > result_.next.value && header.sequence < context_.end.value;
    if (fits && !next) next = (*found)->position;
    proven |= header.durable_sequence > result_.next.value;
    if (proven && next) break;
    from = (*found)->position + 1;
  }
  if (!next) return std::nullopt;
  scan.go_to(*next);
  return scan.here();
}

void SegmentChecker::take(const SegmentScan::Found& found) {
  const BlockHeader& header = found.header;
  result_.next = BlockSequence(header.sequence + 1);
  result_.last_crc = header.crc;
  ++result_.totals.blocks;
  if (contents_.add(found)) return;
  find(Finding::Kind::kWrongOffsets, found.position, found.position + header.length / kPageBytes,
       fmt::format("log {}: block {}: offsets do not go on where the block before it ended",
                   header_.log, header.sequence));
}

// The bytes from here to the footer belong to nothing. Blank unless the slot was used before or a
// crash left unacknowledged writes: in the last segment of a log only the latter remains.
Result<> SegmentChecker::account_tail(std::uint32_t from, bool leftover) {
  const std::uint64_t bytes = std::uint64_t{footer_page_ - from} * kPageBytes;
  const bool unknown = footer_state_ == FooterState::kDamaged;
  (unknown ? result_.totals.unreadable_bytes : result_.totals.unused_bytes) += bytes;
  tail_ = from;
  tail_end_ = footer_page_;
  auto unused = read_unused(device_, header_, from, footer_page_);
  if (!unused) return std::unexpected(std::move(unused.error()));
  unreadable_.insert(unused->unreadable.begin(), unused->unreadable.end());
  if (unknown || leftover || !context_.last || unused->end == 0 || unused->leftover) return {};
  find(Finding::Kind::kTornTail, unused->first, unused->end,
       fmt::format("{}: not blank: what a crash left, never proven durable, or damage",
                   header_.state == SlotState::kUsed
                       ? fmt::format("log {}: behind its last block", header_.log)
                       : std::string("a free slot")));
  return {};
}

// Whatever a page was to hold: the drive does not give it.
void SegmentChecker::account_unreadable() {
  VerifyTotals& totals = result_.totals;
  for (auto page = unreadable_.begin(); page != unreadable_.end();) {
    const std::uint32_t first = *page;
    std::uint32_t end = first;
    for (; page != unreadable_.end() && *page == end; ++page, ++end) {
      const bool unused = end >= tail_ && end < tail_end_;
      if (unused && totals.unused_bytes == 0) continue;  // accounted as unreadable already
      (unused ? totals.unused_bytes : totals.bytes_checked) -= kPageBytes;
      totals.unreadable_bytes += kPageBytes;
    }
    find(Finding::Kind::kUnreadable, first, end, "the drive does not give these bytes");
  }
}

}  // namespace

Result<SegmentCheck> verify_segment(VolumeDevice& device, const Superblock& superblock,
                                    SlotIndex slot, const SegmentContext& context,
                                    OffsetTrack& offsets) {
  return SegmentChecker(device, superblock, slot, context, offsets).run();
}

}  // namespace penstock
