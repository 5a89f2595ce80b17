#include "storage/recover/log_recovery.h"

#include <algorithm>

#include <fmt/format.h>

#include "storage/recover/next_offsets.h"
#include "storage/recover/page_reads.h"
#include "storage/recover/rebuilt_index.h"

namespace penstock {
namespace {

constexpr std::uint64_t kBlockPagesMax = kBlockBytesMax / kPageBytes;

class LogRecovery {
 public:
  LogRecovery(VolumeDevice& device, LogParts parts, RecoveredVolume& volume)
      : device_(device),
        segments_(std::move(parts.segments)),
        given_(std::move(parts.given)),
        volume_(volume) {}

  Result<RecoveredLog> run();

 private:
  // What lies behind a place where the next block is not.
  struct Ahead {
    bool proven = false;                // a block there says that the missing one was durable
    bool elsewhere = false;             // the log went on in a slot without a readable header
    std::optional<std::uint32_t> next;  // the first whole one of this segment that is not void
    std::uint32_t end;                  // the first whole one of all
    std::vector<std::uint32_t> whole;   // all of them, if nothing is proven
  };

  void report_missing();
  void find_missing(std::size_t number, BlockSequence first);
  [[nodiscard]] bool are_elsewhere(BlockFault fault, std::size_t number, const Ahead& ahead) const;
  // The newest whole index says all that was before it: what is behind it has to be read.
  Result<> start_behind_index();
  Result<> scan(std::size_t number);
  Result<> enter(std::size_t number);
  // False: the log ends here.
  Result<bool> pass_bad_block(SegmentScan& scan, std::size_t number, const Ahead& ahead);
  Result<Ahead> look_ahead(SegmentScan& scan, std::size_t number);
  Result<> judge_index(std::size_t number);
  void skip_rest(std::size_t number);
  void skip_end(SegmentScan& scan, std::uint32_t end);
  void take_block(const SegmentScan::Found& found);
  void pass_given_away();
  void finish();
  [[nodiscard]] std::size_t blocks_read() const { return contents_.index().blocks.size(); }
  [[nodiscard]] bool follows(const SegmentScan::Found& found, std::uint64_t limit) const;
  void find(Finding::Kind kind, const SegmentHeader& header, std::uint32_t from, std::uint32_t to,
            std::string_view what) {
    volume_.findings.push_back({kind, SlotIndex(header.slot), std::uint64_t{from} * kPageBytes,
                                std::uint64_t{to - from} * kPageBytes,
                                fmt::format("log {}: {}", header.log, what)});
  }

  VolumeDevice& device_;
  std::vector<KeptSegment> segments_;  // sorted
  std::set<std::uint64_t> gaps_;       // sequences of those behind which numbers are left out
  std::vector<BlockSequence> ends_;    // of their blocks
  std::size_t first_read_ = 0;         // the blocks of this one and of all behind it are read
  GivenAway given_;
  RecoveredVolume& volume_;
  RecoveredLog log_;
  NextOffsets next_offsets_;

  // Of the segment scanned last.
  RebuiltIndex contents_;
  std::uint32_t position_ = 0;
  std::vector<std::uint32_t> left_behind_;
  bool whole_ = true;   // no block is missing in its middle
  bool joined_ = true;  // the block here follows the one before it
};

Result<RecoveredLog> LogRecovery::run() {
  std::ranges::sort(segments_, {}, [](const KeptSegment& s) { return s.header.sequence; });
  if (!segments_.empty()) {
    log_.start.next_segment = SegmentSequence(segments_.back().header.sequence + 1);
    gaps_ = gaps_behind(segments_);
    segments_ = without_void(std::move(segments_), volume_.void_slots);
    ends_ = ends_of(segments_);
    if (auto done = start_behind_index(); !done) return std::unexpected(std::move(done.error()));
    report_missing();
    for (std::size_t i = first_read_; i < segments_.size(); ++i) {
      if (auto done = scan(i); !done) return std::unexpected(std::move(done.error()));
    }
  }
  finish();
  return std::move(log_);
}

// Segments between two others vanish only when they were void; then the blocks still join. In front
// of one that is read, reading tells whether what is missing was durable.
void LogRecovery::report_missing() {
  for (std::size_t i = 1; i < first_read_; ++i) {
    if (!segments_[i - 1].closed) continue;
    const BlockSequence end = behind(segments_[i - 1].footer);
    if (end.value < segments_[i].header.base_sequence) find_missing(i, end);
  }
}

void LogRecovery::find_missing(std::size_t number, BlockSequence first) {
  const SegmentHeader& header = segments_[number].header;
  find(Finding::Kind::kMissingSegment, header, 0, 0,
       fmt::format("blocks {} to {} are missing in front of segment {}", first,
                   header.base_sequence - 1, header.sequence));
}

Result<> LogRecovery::start_behind_index() {
  for (std::size_t i = segments_.size(); i > 0; --i) {
    const KeptSegment& segment = segments_[i - 1];
    if (!segment.closed) continue;
    auto read = read_index(device_, SlotIndex(segment.header.slot), segment.footer);
    if (!read) return std::unexpected(std::move(read.error()));
    volume_.bytes_read += read->bytes_read;
    if (!read->index) continue;
    log_.start.next_sequence = std::min(behind(segment.footer), ends_[i - 1]);
    log_.start.last_crc = segment.footer.last_crc;
    next_offsets_.know(*read->index);
    first_read_ = i;
    return {};
  }
  log_.start.next_sequence = BlockSequence(segments_.front().header.base_sequence);
  log_.start.last_crc = segments_.front().header.previous_crc;
  return {};
}

bool LogRecovery::follows(const SegmentScan::Found& found, std::uint64_t limit) const {
  const std::uint64_t expected = log_.start.next_sequence.value;
  if (!joined_) return found.header.sequence >= expected && found.header.sequence < limit;
  return found.header.sequence == expected && found.header.previous_crc == log_.start.last_crc;
}

Result<> LogRecovery::scan(std::size_t number) {
  const SegmentHeader header = segments_[number].header;
  // Only what a power cut cannot take away any more may be taken for what the log holds.
  auto synced = device_.sync(SlotIndex(header.slot));
  if (!synced && !has_unreadable(volume_.findings, SlotIndex(header.slot))) return synced;
  contents_ = {};
  left_behind_.clear();
  whole_ = joined_ = true;
  if (auto entered = enter(number); !entered) return entered;
  SegmentScan scan(device_, header, footer_page(header.segment_bytes));
  std::optional<std::uint32_t> looked_again;
  while (log_.start.next_sequence < ends_[number]) {
    auto found = scan.here();
    if (!found) return std::unexpected(std::move(found.error()));
    if (*found && follows(**found, ends_[number].value)) {
      joined_ = true;
      take_block(**found);
      scan.step_over(**found);
      continue;
    }
    const std::uint32_t bad = scan.position();
    auto ahead = look_ahead(scan, number);
    if (!ahead) return std::unexpected(std::move(ahead.error()));
    scan.go_to(bad);
    // The page may have been read before a running node wrote it.
    if (ahead->proven && looked_again != bad) {
      looked_again = bad;
      scan.forget();
      continue;
    }
    auto passed = pass_bad_block(scan, number, *ahead);
    if (!passed) return std::unexpected(std::move(passed.error()));
    if (!*passed) break;
  }
  position_ = scan.position();
  volume_.bytes_read += scan.bytes_read();
  next_offsets_.take(contents_);
  return segments_[number].closed ? judge_index(number) : Result<>{};
}

// Where blocks are missing between two segments, they were durable if a block in or behind this
// one says so, or if a slot whose header is unreadable may have them. Else the log ends there.
Result<> LogRecovery::enter(std::size_t number) {
  const SegmentHeader& header = segments_[number].header;
  const std::uint64_t expected = log_.start.next_sequence.value;
  if (header.base_sequence <= expected) return {};
  bool proven = segments_[number].closed || given_.doubtful || given_.next_sequence > expected;
  if (!proven) {
    auto later = any_proves(device_, std::span(segments_).subspan(number), BlockSequence(expected));
    if (!later) return std::unexpected(std::move(later.error()));
    proven = *later;
  }
  if (!proven) return {};
  find_missing(number, log_.start.next_sequence);
  next_offsets_.lose_blocks(0, header.base_sequence - expected);
  log_.start.next_sequence = BlockSequence(header.base_sequence);
  log_.start.last_crc = header.previous_crc;
  return {};
}

Result<bool> LogRecovery::pass_bad_block(SegmentScan& scan, std::size_t number,
                                         const Ahead& ahead) {
  const SegmentHeader& header = segments_[number].header;
  const std::uint32_t bad = scan.position();
  auto here = scan.here();
  if (!here) return std::unexpected(std::move(here.error()));
  const BlockFault fault = scan.fault();
  const std::uint64_t expected = log_.start.next_sequence.value;
  const bool unreadable = fault == BlockFault::kUnreadable;
  if (!ahead.proven && !unreadable) {
    const bool blank = fault == BlockFault::kNeverWritten || fault == BlockFault::kWrongGeneration;
    if (!blank || ahead.next) {
      find(
          Finding::Kind::kTornTail, header, bad, bad,
          fmt::format("ends before block {}, which nothing proves to have been durable", expected));
    }
    left_behind_ = ahead.whole;
    if (*here) left_behind_.push_back(bad);
    return false;
  }
  auto gone = was_used_again(device_, header);
  if (!gone) return std::unexpected(std::move(gone.error()));
  if (*gone) return fail(Errc::kNotFound, fmt::format("slot {} was used again", header.slot));
  if (are_elsewhere(fault, number, ahead)) {
    find_missing(number + 1, log_.start.next_sequence);
    next_offsets_.lose_blocks(blocks_read(), ends_[number] - log_.start.next_sequence);
    skip_rest(number);
    return false;
  }
  // What a slot without a readable header holds was told of it.
  const bool given = given_.first_sequence <= expected && expected < given_.next_sequence;
  const bool gone_on = nothing_left(fault) || ahead.elsewhere;
  if (given && !ahead.next && gone_on && number + 1 == segments_.size()) return false;
  whole_ = false;
  if (unreadable) {
    find(Finding::Kind::kUnreadable, header, bad, ahead.end,
         fmt::format("block {} cannot be read: {}", expected, to_string(fault)));
  } else {
    find(Finding::Kind::kCorruptBlock, header, bad, ahead.end,
         fmt::format("block {} was durable and is damaged: {}", expected,
                     *here ? "does not follow the block before it" : to_string(fault)));
  }
  if (!ahead.next && !segments_[number].closed && number + 1 == segments_.size()) {
    skip_end(scan, ahead.end);
    return false;
  }
  next_offsets_.lose_pages(blocks_read(), ahead.end - bad);
  if (!ahead.next) {
    skip_rest(number);
    return false;
  }
  scan.go_to(*ahead.next);
  joined_ = false;
  return true;
}

// The blocks were in a segment between this one and the next: nothing of this one is left here, and
// the next has not the next number.
bool LogRecovery::are_elsewhere(BlockFault fault, std::size_t number, const Ahead& ahead) const {
  if (ahead.elsewhere) return number + 1 < segments_.size();
  const SegmentHeader& header = segments_[number].header;
  return nothing_left(fault) && ahead.end == footer_page(header.segment_bytes) &&
         !segments_[number].closed && gaps_.contains(header.sequence);
}

Result<LogRecovery::Ahead> LogRecovery::look_ahead(SegmentScan& scan, std::size_t number) {
  const BlockSequence sequence = log_.start.next_sequence;
  const KeptSegment& here = segments_[number];
  // A footer vouches for all blocks of its segment.
  Ahead ahead{.proven = here.closed, .end = footer_page(here.header.segment_bytes)};
  const bool over = ended_before(segments_, number, sequence, log_.start.last_crc);
  for (std::uint32_t from = scan.position() + 1; !(ahead.proven && ahead.next);) {
    auto found = scan.search(from);
    if (!found) return std::unexpected(std::move(found.error()));
    if (!*found) break;
    const BlockSequence block((*found)->header.sequence);
    ahead.end = std::min(ahead.end, (*found)->position);
    ahead.whole.push_back((*found)->position);
    const bool valid = !over && block > sequence && block < ends_[number];
    if (valid && !ahead.next) ahead.next = (*found)->position;
    ahead.proven |= (*found)->header.durable_sequence > sequence.value;
    from = (*found)->position + 1;
  }
  // Without proof of their own, blocks here are what a crash left.
  ahead.elsewhere = !ahead.proven && given_.begins.contains({sequence.value, log_.start.last_crc});
  if (ahead.elsewhere) ahead.next.reset();
  ahead.proven |= given_.durable_sequence > sequence.value;
  if (ahead.proven) return ahead;
  auto later = any_proves(device_, std::span(segments_).subspan(number + 1), sequence);
  if (!later) return std::unexpected(std::move(later.error()));
  ahead.proven = *later;
  return ahead;
}

// Nothing good follows in this segment: the log goes on with the next one, or behind a closed one.
void LogRecovery::skip_rest(std::size_t number) {
  const KeptSegment& segment = segments_[number];
  log_.start.last_crc =
      segment.closed ? segment.footer.last_crc : segments_[number + 1].header.previous_crc;
  log_.start.next_sequence = std::max(log_.start.next_sequence, ends_[number]);
}

// Nothing good follows in the log: each page that cannot be read may have made a block unreadable.
// None of those is given again.
void LogRecovery::skip_end(SegmentScan& scan, std::uint32_t end) {
  const auto& pages = scan.unreadable();
  const auto unreadable = std::distance(pages.lower_bound(scan.position()), pages.end());
  const auto lost = static_cast<std::uint64_t>(std::max<std::ptrdiff_t>(unreadable, 1));
  log_.start.next_sequence += lost;
  next_offsets_.lose_pages(blocks_read(),
                           std::min<std::uint64_t>(lost * kBlockPagesMax, end - scan.position()));
}

void LogRecovery::take_block(const SegmentScan::Found& found) {
  log_.start.next_sequence = BlockSequence(found.header.sequence + 1);
  log_.start.last_crc = found.header.crc;
  log_.messages += found.header.message_count;
  contents_.add(found);
}

// Of a closed segment that was read because its index is not whole.
Result<> LogRecovery::judge_index(std::size_t number) {
  const KeptSegment& segment = segments_[number];
  const SegmentFooter& footer = segment.footer;
  auto read = read_index(device_, SlotIndex(segment.header.slot), footer);
  if (!read) return std::unexpected(std::move(read.error()));
  if (read->index) return {};
  const auto kind =
      read->unreadable.empty() ? Finding::Kind::kCorruptFooter : Finding::Kind::kUnreadable;
  find(kind, segment.header, footer.index_position, footer_page(footer.segment_bytes),
       read->index.error().what + "; the segment's blocks are read instead");
  return {};
}

// The log goes on behind what slots without a readable header hold of it, or may have held, in
// another segment.
void LogRecovery::pass_given_away() {
  next_offsets_.raise(given_.next_offsets);
  const std::uint64_t unknown = unplaced_slots(given_, segments_);
  if (given_.slots + unknown == 0) return;
  const bool further = given_.next_sequence > log_.start.next_sequence.value;
  if (further) log_.start.next_sequence = BlockSequence(given_.next_sequence);
  const std::uint64_t pages = unknown * given_.slot_pages + (further ? given_.lost_pages : 0);
  next_offsets_.skip_pages(pages);
  log_.start.next_sequence += pages;
  if (further || unknown > 0) whole_ = false;
  // No segment of the log that is not void is without a block: none has a later number.
  const std::uint64_t end = unknown > 0 ? log_.start.next_sequence.value : given_.next_sequence;
  const SegmentSequence segment(end + given_.slots + unknown + 1);
  log_.start.next_segment = std::max(log_.start.next_segment, segment);
}

void LogRecovery::finish() {
  log_.lost_in_front = may_be_older(given_, segments_);
  const bool open = !segments_.empty() && !segments_.back().closed;
  const bool empty = open && contents_.index().blocks.empty() && whole_;
  pass_given_away();
  const bool unused =
      empty && segments_.back().header.base_sequence != log_.start.next_sequence.value;
  next_offsets_.fill(log_.start);
  if (unused) {
    // Taken for blocks that are not reached any more: nothing in it can have been acknowledged.
    const SlotIndex slot(segments_.back().header.slot);
    (has_unreadable(volume_.findings, slot) ? volume_.quarantined_slots : volume_.void_slots)
        .push_back(slot);
    segments_.pop_back();
  } else if (open) {
    const SegmentHeader& last = segments_.back().header;
    log_.end = {.next = log_.start.next_sequence,
                .written = log_.start.next_sequence,
                .durable = log_.start.next_sequence,
                .segment = SegmentSequence(last.sequence),
                .slot = SlotIndex(last.slot),
                .generation = Generation(last.generation),
                .position = position_};
    // One with a hole is left as it is: its index could not say where its blocks are. So is one
    // that the drive does not give.
    if (whole_ && !has_unreadable(volume_.findings, SlotIndex(last.slot))) {
      log_.start.open = LogStart::OpenSegment{
          last, {}, position_, contents_.index(), contents_.payload_bytes(), left_behind_};
    }
  }
  // One without an index is no place to start from: retention must keep an older one that has it.
  for (std::size_t i = first_read_; i < segments_.size(); ++i) segments_[i].closed = false;
  log_.segments = std::move(segments_);
}

}  // namespace

Result<RecoveredLog> recover_log(VolumeDevice& device, LogParts parts, RecoveredVolume& volume) {
  return LogRecovery(device, std::move(parts), volume).run();
}

}  // namespace penstock
