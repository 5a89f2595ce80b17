#include "storage/read/log_reader.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace penstock {
namespace {

constexpr std::uint64_t kNoStop = std::numeric_limits<std::uint64_t>::max();

}  // namespace

LogReader::LogReader(Volume& volume, LogNumber log, std::optional<StreamId> stream,
                     const RecoveredLog& recovered, const LogEnd& end)
    : volume_(volume),
      log_(log),
      stream_(stream),
      list_(volume, log, recovered.segments, end),
      end_(end),
      lost_in_front_(recovered.lost_in_front),
      gaps_(log) {
  seek_beginning();
}

void LogReader::refresh(const LogEnd& end) {
  if (end.durable <= end_.durable) return;
  if (!window_stale_) stale_from_ = end_.durable;
  end_ = end;
  list_stale_ = window_stale_ = true;
}

Result<Item> LogReader::next() {
  for (;;) {
    if (auto gap = gaps_.take()) return *std::move(gap);
    if (block_) {
      if (auto record = next_in_block()) return *record;
      continue;
    }
    auto more = next_block();
    if (!more) return std::unexpected(std::move(more.error()));
    if (*more) continue;
    gaps_.meet_end();
    if (auto gap = gaps_.take()) return *std::move(gap);
    return AtEnd{};
  }
}

std::optional<Record> LogReader::next_in_block() {
  while (run_) {
    const auto message = run_->next();
    if (!message) {
      run_.reset();
      break;
    }
    const Offset offset = run_next_;
    ++run_next_;
    if (stream_ && gaps_.expected() && offset < *gaps_.expected()) continue;
    if (from_time_ && message->received < *from_time_) continue;
    if (skip_ > 0) {
      --skip_;
      continue;
    }
    from_time_.reset();
    if (stream_) gaps_.expect(offset + 1);
    return Record{log_, run_stream_, offset, *message};
  }
  const auto bytes = block_->next_run();
  if (bytes.empty()) {
    block_.reset();
  } else {
    open_run(bytes);
  }
  return std::nullopt;
}

void LogReader::open_run(std::span<const std::byte> bytes) {
  RunReader run(bytes);
  for (std::size_t i = 0; i < run.header().capture_count; ++i) {
    const Capture capture = run.capture(i);
    if (stream_ && capture.stream != stream_->value) continue;
    run_stream_ = StreamId(capture.stream);
    run_next_ = Offset(capture.base_offset);
    if (stream_) gaps_.meet(run_next_);
    run_ = run;
    return;
  }
}

// ---- Blocks -------------------------------------------------------------------------------------

// Where reading of the current segment ends for now.
BlockSequence LogReader::limit() const { return std::min(list_.end(current_), end_.durable); }

// One step towards the next block. False: nothing more is durable.
Result<bool> LogReader::next_block() {
  if (wanted_ >= end_.durable) return false;
  if (current_ == list_.size()) {
    auto newer = learn_newer();
    if (!newer) return std::unexpected(std::move(newer.error()));
    if (current_ < list_.size()) return true;
    // Retired with the last one known, or lost behind it.
    auto held = list_.size() > 0 ? list_.holds(list_.size() - 1) : Result<bool>(false);
    if (!held) return held;
    gaps_.note(*held ? GapKind::kLost : GapKind::kTrimmed,
               fmt::format("log {}: the segment of block {} is missing", log_, wanted_));
    wanted_ = end_.durable;
    return true;
  }
  if (may_be_void()) {
    auto newer = learn_newer();
    if (!newer) return std::unexpected(std::move(newer.error()));
    return true;
  }
  Result<> done;
  if (wanted_ >= list_.end(current_) || (scan_ && at_.value >= stop_)) {
    done = leave();
  } else {
    done = scan_ ? read_block() : enter();
    // The slot was removed.
    if (!done && done.error().code == Errc::kNotFound) done = go_on_behind_trimmed();
  }
  if (!done) return std::unexpected(std::move(done.error()));
  return true;
}

// Whether a segment that is not known yet may hold the next block, and this one what a failed write
// or a crash left of it.
bool LogReader::may_be_void() const {
  if (!list_stale_ || (joined_ && scan_ && at_ < listed_to_)) return false;
  return end_.position == 0 || end_.generation.value != list_[current_].header.generation;
}

Result<> LogReader::read_block() {
  // What was read before it was durable may have become another block since.
  if (window_stale_ && (!joined_ || at_ >= stale_from_)) {
    scan_->forget();
    window_stale_ = false;
  }
  auto found = look();
  if (!found) return std::unexpected(std::move(found.error()));
  if (!*found) return handle_bad_block();
  take(**found);
  return {};
}

// The block at_ if it is where it has to be, or the first behind it if that is not known.
Result<std::optional<SegmentScan::Found>> LogReader::look() {
  if (joined_) {
    auto found = scan_->here();
    if (!found || !*found) return found;
    const BlockHeader& header = (*found)->header;
    const bool follows = header.sequence == at_.value && (!crc_ || header.previous_crc == *crc_);
    return follows ? found : std::nullopt;
  }
  const std::uint32_t resume = scan_->position();
  for (std::uint32_t from = resume;;) {
    auto found = scan_->search(from);
    if (!found) return found;
    if (!*found) break;
    const std::uint64_t sequence = (*found)->header.sequence;
    if (sequence >= at_.value && sequence < limit().value) return found;
    from = (*found)->position + 1;
  }
  scan_->go_to(resume);
  return std::nullopt;
}

void LogReader::take(const SegmentScan::Found& found) {
  const BlockSequence sequence(found.header.sequence);
  if (sequence > at_) {
    gaps_.note(GapKind::kCorrupt,
               fmt::format("log {}: blocks {} to {} are damaged", log_, at_, sequence.value - 1));
  }
  at_ = sequence + 1;
  crc_ = found.header.crc;
  joined_ = true;
  scan_->step_over(found);
  if (sequence < wanted_) return;
  wanted_ = at_;
  if (!stream_) gaps_.meet_any();
  block_.emplace(found.bytes);
}

// A block that was durable is not there: the slot was recycled, the block is in a newer segment, or
// it is damaged. In this order.
Result<> LogReader::handle_bad_block() {
  auto held = list_.holds(current_);
  if (!held) return std::unexpected(std::move(held.error()));
  if (!*held) return go_on_behind_trimmed();
  auto newer = learn_newer();
  if (!newer) return std::unexpected(std::move(newer.error()));
  return *newer ? Result<>{} : pass_bad_block();
}

Result<> LogReader::pass_bad_block() {
  if (!joined_) {
    at_ = wanted_ = std::max(wanted_, limit());
    return {};
  }
  const SegmentHeader& header = list_[current_].header;
  const SegmentHeader* next = current_ + 1 < list_.size() ? &list_[current_ + 1].header : nullptr;
  const std::uint32_t bad = scan_->position();
  const BlockFault fault = scan_->fault();
  const bool alone = next != nullptr ? next->sequence > header.sequence + 1
                                     : end_.generation.value != header.generation;
  const bool missing = fault == BlockFault::kNeverWritten && next != nullptr && alone;
  // This one should have been retired before those behind it were.
  const bool trimmed = missing && header.sequence < list_.oldest_kept().value;
  gaps_.note(trimmed ? GapKind::kTrimmed : (missing ? GapKind::kLost : GapKind::kCorrupt),
             fmt::format("log {}: block {} in slot {} at byte {}: {}", log_, at_, header.slot,
                         std::uint64_t{bad} * kPageBytes,
                         fault == BlockFault::kNone ? "does not follow the block before it"
                                                    : to_string(fault)));
  const std::uint64_t number = at_.value - header.base_sequence;
  if (index_ && number < index_->blocks.size()) {
    const IndexEntry& entry = index_->blocks[number];
    scan_->go_to(entry.position + entry.pages);
    crc_ = entry.crc;
    wanted_ = std::max(wanted_, ++at_);
    return {};
  }
  // If the log went on in a segment whose header is lost, what lies behind here may be what a crash
  // left.
  Result<bool> goes_on = !ends_here(bad);
  if (*goes_on && alone) goes_on = scan_->proves(bad + 1, at_);
  if (!goes_on) return std::unexpected(std::move(goes_on.error()));
  at_ = *goes_on ? at_ + 1 : std::max(at_, limit());
  wanted_ = std::max(wanted_, at_);
  scan_->go_to(bad + 1);
  crc_.reset();
  joined_ = false;
  return {};
}

// Whether the log ends, or ended once, in front of a page, though numbers behind it are given away.
bool LogReader::ends_here(std::uint32_t page) const {
  if (current_ + 1 < list_.size()) return crc_ && ended_before(list_.all(), current_, at_, *crc_);
  return end_.generation.value == list_[current_].header.generation && end_.position != 0 &&
         page >= end_.position;
}

// ---- Segments -----------------------------------------------------------------------------------

// Whether anything may be known that was not before; the current segment stays the current one.
Result<bool> LogReader::learn_newer() {
  if (!list_stale_) return false;
  const bool stands = current_ < list_.size();
  const Generation generation(stands ? list_[current_].header.generation : 0);
  const std::size_t known = list_.size();
  if (auto done = list_.look_for_newer(end_); !done)
    return std::unexpected(std::move(done.error()));
  list_stale_ = false;
  listed_to_ = end_.durable;
  if (!stands) {
    // Behind the last one known: the first that has the block wanted.
    current_ = 0;
    while (current_ < list_.size() && list_.end(current_) <= wanted_) ++current_;
    return current_ < list_.size();
  }
  current_ = list_.find(generation);
  if (current_ == list_.size()) {
    if (auto done = go_on_behind_trimmed(); !done) return std::unexpected(std::move(done.error()));
    return true;
  }
  return list_.size() != known || wanted_ >= list_.end(current_);
}

Result<> LogReader::go_on_behind_trimmed() {
  const BlockSequence wanted = wanted_;
  if (auto done = list_.look_for_all(end_); !done) return done;
  scan_.reset();
  current_ = 0;
  while (current_ < list_.size() && list_.end(current_) <= wanted_) ++current_;
  if (current_ < list_.size()) {
    wanted_ = std::max(wanted_, list_.begin(current_));
    if (wanted_ == wanted) return {};  // another segment may have it
  } else {
    wanted_ = std::max(wanted_, end_.durable);
  }
  gaps_.note(GapKind::kTrimmed,
             fmt::format("log {}: blocks from {} on were trimmed by retention", log_, wanted));
  return {};
}

Result<> LogReader::enter() {
  auto index = list_.read_index(current_);
  if (!index) return std::unexpected(std::move(index.error()));
  index_ = std::move(*index);
  const SegmentHeader& header = list_[current_].header;
  const BlockSequence base(header.base_sequence);
  if (base > wanted_) {
    const bool trimmed = current_ == 0 || header.sequence - 1 < list_.oldest_kept().value;
    gaps_.note(trimmed ? GapKind::kTrimmed : GapKind::kLost,
               fmt::format("log {}: blocks {} to {} are {}", log_, wanted_, base.value - 1,
                           trimmed ? "trimmed by retention" : "in a segment that is missing"));
    wanted_ = base;
  }
  scan_.emplace(volume_.device(), header, footer_page(header.segment_bytes));
  window_stale_ = false;
  at_ = base;
  crc_ = header.previous_crc;
  joined_ = true;
  stop_ = kNoStop;
  if (index_) skip_by_index();
  return {};
}

// Goes to the first block of a closed segment that can have something wanted.
void LogReader::skip_by_index() {
  const std::vector<IndexEntry>& blocks = index_->blocks;
  std::size_t first = std::min<std::size_t>(wanted_ - at_, blocks.size());
  if (stream_) {
    const auto partition =
        std::ranges::find(index_->partitions, stream_->value, &PartitionEntry::stream);
    if (partition == index_->partitions.end() ||
        partition->first_offset == partition->next_offset) {
      first = blocks.size();
    } else {
      if (!gaps_.expected() && !from_time_ && first <= partition->first_block) {
        const Offset offset(partition->first_offset);
        gaps_.meet(offset);
        gaps_.expect(offset);
      }
      first = std::max<std::size_t>(first, partition->first_block);
      stop_ = at_.value + partition->last_block + 1;
    }
  }
  while (from_time_ && first < blocks.size() &&
         (blocks[first].message_count == 0 || blocks[first].last_received_ns < from_time_->value)) {
    ++first;
  }
  if (first == 0) return;
  scan_->go_to(blocks[first - 1].position + blocks[first - 1].pages);
  crc_ = blocks[first - 1].crc;
  at_ += first;
  wanted_ = std::max(wanted_, at_);
}

// Everything wanted of the current segment was read.
Result<> LogReader::leave() {
  if (scan_ && index_ && stream_) {
    const auto partition =
        std::ranges::find(index_->partitions, stream_->value, &PartitionEntry::stream);
    // A damaged block at its end: the index tells what it held.
    if (gaps_.has_noted() && partition != index_->partitions.end()) {
      gaps_.meet(Offset(partition->next_offset));
    }
  }
  // Its real end: behind stop_ there is nothing of the stream.
  if (index_ && scan_) wanted_ = std::max(wanted_, list_.end(current_));
  scan_.reset();
  index_.reset();
  ++current_;
  return {};
}

}  // namespace penstock
