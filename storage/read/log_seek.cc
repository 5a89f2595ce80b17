// Where a LogReader begins: by place, offset, time or count.
#include <algorithm>

#include <fmt/format.h>

#include "storage/read/log_reader.h"

namespace penstock {

void LogReader::start_at(std::size_t segment) {
  current_ = segment;
  wanted_ = segment < list_.size() ? list_.begin(segment) : BlockSequence(0);
  scan_.reset();
  index_.reset();
  block_.reset();
  run_.reset();
  from_time_.reset();
  skip_ = 0;
  gaps_.clear();
}

Result<> LogReader::need_stream() const {
  if (stream_) return {};
  return fail(Errc::kInvalidArgument,
              fmt::format("log {}: offsets are a stream's: name one", log_));
}

// Before a seek: the segments that are there now.
Result<> LogReader::need_current_list() {
  auto held = list_.size() > 0 ? list_.holds(0) : Result<bool>(false);
  if (!held) return std::unexpected(std::move(held.error()));
  Result<> done;
  if (!*held) {
    done = list_.look_for_all(end_);
  } else if (list_stale_) {
    done = list_.look_for_newer(end_);
  }
  if (!done) return done;
  list_stale_ = false;
  listed_to_ = end_.durable;
  start_at(0);
  return {};
}

std::string LogReader::why_lost_in_front() const {
  return fmt::format("log {}: a slot whose header is damaged may hold older messages", log_);
}

void LogReader::seek_beginning() {
  start_at(0);
  if (lost_in_front_) gaps_.note(GapKind::kLost, why_lost_in_front());
}

Result<> LogReader::seek_end() {
  if (auto done = need_current_list(); !done) return done;
  if (list_.size() == 0) return {};
  std::size_t last = list_.size() - 1;
  while (last > 0 && list_.begin(last) >= end_.durable) --last;
  start_at(last);
  wanted_ = end_.durable;
  if (end_.position == 0 || list_[last].header.generation != end_.generation.value) return {};
  if (auto done = enter(); !done) return done;
  if (index_) return {};
  scan_->go_to(end_.position);
  at_ = end_.durable;
  crc_.reset();
  return {};
}

// What the index of a closed segment says of the stream: an entry without offsets if it does not
// know it. Nothing when there is no index to read.
Result<std::optional<PartitionEntry>> LogReader::partition_in(std::size_t segment) {
  auto index = list_.read_index(segment);
  if (!index) return std::unexpected(std::move(index.error()));
  if (!*index) return std::nullopt;
  const auto found =
      std::ranges::find((*index)->partitions, stream_->value, &PartitionEntry::stream);
  return found == (*index)->partitions.end() ? PartitionEntry{.stream = stream_->value} : *found;
}

Result<Offset> LogReader::first_offset() {
  if (auto done = need_stream(); !done) return std::unexpected(std::move(done.error()));
  RecoveredLog known;
  known.segments = list_.all();
  LogReader probe(volume_, log_, stream_, known, end_);
  if (auto done = probe.need_current_list(); !done) return std::unexpected(std::move(done.error()));
  for (std::size_t i = 0; i < probe.list_.size(); ++i) {
    auto partition = probe.partition_in(i);
    if (!partition) return std::unexpected(std::move(partition.error()));
    if (*partition && (*partition)->next_offset == 0) continue;  // not known there yet
    if (*partition) return Offset((*partition)->first_offset);
    probe.start_at(i);
    break;
  }
  for (;;) {
    auto item = probe.next();
    if (!item) return std::unexpected(std::move(item.error()));
    if (const auto* record = std::get_if<Record>(&*item)) return record->offset;
    if (std::holds_alternative<AtEnd>(*item)) return probe.gaps_.expected().value_or(Offset(0));
  }
}

Result<Offset> LogReader::next_offset() {
  if (auto done = need_stream(); !done) return std::unexpected(std::move(done.error()));
  RecoveredLog known;
  known.segments = list_.all();
  LogReader probe(volume_, log_, stream_, known, end_);
  if (auto done = probe.need_current_list(); !done) return std::unexpected(std::move(done.error()));
  Offset next(0);
  std::size_t i = probe.list_.size();
  while (i > 0) {
    auto partition = probe.partition_in(i - 1);
    if (!partition) return std::unexpected(std::move(partition.error()));
    if (*partition) {
      next = Offset((*partition)->next_offset);
      break;
    }
    --i;
  }
  if (i == probe.list_.size()) return next;
  probe.start_at(i);
  for (;;) {
    auto item = probe.next();
    if (!item) return std::unexpected(std::move(item.error()));
    if (const auto* record = std::get_if<Record>(&*item)) next = record->offset + 1;
    if (std::holds_alternative<AtEnd>(*item)) return next;
  }
}

// The first segment that can have the offset, by the indexes; the first whose index would have to
// be known when it is not.
Result<std::size_t> LogReader::segment_of(Offset offset) {
  std::size_t low = 0;  // all before it end in front of the offset
  std::size_t high = list_.size();
  while (low < high) {
    std::size_t middle = low + (high - low) / 2;
    std::optional<PartitionEntry> known;
    for (;; --middle) {
      auto partition = partition_in(middle);
      if (!partition) return std::unexpected(std::move(partition.error()));
      known = *partition;
      if (known || middle == low) break;
    }
    if (!known) break;
    if (known->next_offset <= offset.value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Result<> LogReader::seek_offset(Offset offset) {
  if (auto done = need_stream(); !done) return done;
  if (auto done = need_current_list(); !done) return done;
  auto segment = segment_of(offset);
  if (!segment) return std::unexpected(std::move(segment.error()));
  if (*segment == list_.size() && *segment > 0) --*segment;
  start_at(*segment);
  gaps_.expect(offset);
  if (*segment != 0) return {};
  auto first = first_offset();
  if (!first) return std::unexpected(std::move(first.error()));
  if (offset >= *first) return {};
  gaps_.add(
      {lost_in_front_ ? GapKind::kLost : GapKind::kTrimmed, log_, offset, *first,
       lost_in_front_ ? why_lost_in_front() : fmt::format("log {}: trimmed by retention", log_)});
  gaps_.expect(*first);
  return {};
}

Result<> LogReader::seek_time(UnixNanos time) {
  if (auto done = need_current_list(); !done) return done;
  std::size_t segment = 0;
  while (segment + 1 < list_.size()) {
    auto closed = list_.learn_footer(segment);
    if (!closed) return std::unexpected(std::move(closed.error()));
    const SegmentFooter& footer = list_[segment].footer;
    if (!*closed || (footer.message_count != 0 && footer.last_received_ns >= time.value)) break;
    ++segment;
  }
  start_at(segment);
  from_time_ = time;
  if (!lost_in_front_ || segment != 0 || list_.size() == 0) return {};
  // Older messages are not wanted where the first one that is left is not.
  auto closed = list_.learn_footer(0);
  if (!closed) return std::unexpected(std::move(closed.error()));
  const SegmentFooter& footer = list_[0].footer;
  const bool passed = *closed && footer.message_count != 0 && footer.first_received_ns < time.value;
  if (!passed) gaps_.note(GapKind::kLost, why_lost_in_front());
  return {};
}

// Messages from this segment to the end.
Result<std::uint64_t> LogReader::count_from(std::size_t segment) {
  start_at(segment);
  for (std::uint64_t count = 0;;) {
    auto item = next();
    if (!item) return std::unexpected(std::move(item.error()));
    if (std::holds_alternative<Record>(*item)) ++count;
    if (std::holds_alternative<AtEnd>(*item)) return count;
  }
}

Result<> LogReader::seek_last(std::uint64_t count) {
  if (stream_) {
    auto next = next_offset();
    if (!next) return std::unexpected(std::move(next.error()));
    auto first = first_offset();
    if (!first) return std::unexpected(std::move(first.error()));
    const Offset wanted(next->value - std::min(next->value, count));
    return seek_offset(lost_in_front_ ? wanted : std::max(*first, wanted));
  }
  if (count == 0) return seek_end();
  if (auto done = need_current_list(); !done) return done;
  std::uint64_t total = 0;
  std::size_t segment = list_.size();
  while (segment > 0 && total < count) {
    --segment;
    auto closed = list_.learn_footer(segment);
    if (!closed) return std::unexpected(std::move(closed.error()));
    if (*closed) {
      total += list_[segment].footer.message_count;
      continue;
    }
    auto counted = count_from(segment);
    if (!counted) return std::unexpected(std::move(counted.error()));
    total = *counted;
  }
  start_at(segment);
  skip_ = total - std::min(total, count);
  if (lost_in_front_ && total < count) gaps_.note(GapKind::kLost, why_lost_in_front());
  return {};
}

}  // namespace penstock
