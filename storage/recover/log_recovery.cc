#include "storage/recover/log_recovery.h"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>

#include "base/check.h"
#include "storage/recover/segment_scan.h"

namespace penstock {
namespace {

std::uint32_t footer_page(const SegmentHeader& header) {
  return static_cast<std::uint32_t>(header.segment_bytes / kPageBytes) - 1;
}

class LogRecovery {
 public:
  LogRecovery(VolumeDevice& device, std::vector<KeptSegment> segments, RecoveredVolume& volume)
      : device_(device), segments_(std::move(segments)), volume_(volume) {}

  Result<RecoveredLog> run();

 private:
  void drop_void();
  void report_missing();
  Result<> start_behind(const KeptSegment& closed);
  Result<> scan(std::size_t number);
  // Whether a block behind `scan`'s position, in this segment or a later one, says that `sequence`
  // was durable; `next` gets the next whole block of this segment, if any.
  Result<bool> proven_durable(SegmentScan& scan, std::size_t number, std::uint64_t sequence,
                              std::optional<std::uint32_t>& next);
  [[nodiscard]] std::uint64_t limit_of(std::size_t number) const;
  void skip_rest(std::size_t number, std::uint64_t limit);
  void take_block(const SegmentScan::Found& found, std::uint32_t number);
  void finish(const KeptSegment& last);

  VolumeDevice& device_;
  std::vector<KeptSegment> segments_;  // sorted
  RecoveredVolume& volume_;
  RecoveredLog log_;
  std::map<std::uint64_t, std::uint64_t> next_offsets_;  // by stream

  // Of the segment scanned last.
  SegmentIndex index_;
  std::map<std::uint64_t, std::size_t> index_of_stream_;
  std::uint64_t payload_bytes_ = 0;  // of each message once
  std::uint32_t position_ = 0;
  bool whole_ = true;  // no block is missing in its middle
};

Result<RecoveredLog> LogRecovery::run() {
  std::ranges::sort(segments_, {}, [](const KeptSegment& s) { return s.header.sequence; });
  log_.start.next_segment = SegmentSequence(segments_.back().header.sequence + 1);
  drop_void();
  report_missing();
  const KeptSegment newest = segments_.back();

  // Everything behind the newest closed segment has to be read; its own index says all before it.
  std::size_t first = segments_.size();
  while (first > 0 && !segments_[first - 1].closed) --first;
  if (first > 0) {
    if (auto done = start_behind(segments_[first - 1]); !done) {
      return std::unexpected(std::move(done.error()));
    }
  } else {
    log_.start.next_sequence = BlockSequence(segments_.front().header.base_sequence);
    log_.start.last_crc = segments_.front().header.previous_crc;
  }
  for (std::size_t i = first; i < segments_.size(); ++i) {
    if (auto done = scan(i); !done) return std::unexpected(std::move(done.error()));
  }
  finish(newest);
  return std::move(log_);
}

// A later segment that begins with the same block or an earlier one has all that this one was to
// hold: its slot was given up after a failed write or a crash, and is free whatever its header
// still says.
void LogRecovery::drop_void() {
  std::uint64_t begin = ~std::uint64_t{0};
  std::vector<KeptSegment> kept;
  for (const KeptSegment& segment : std::views::reverse(segments_)) {
    if (!segment.closed && segment.header.base_sequence >= begin) {
      volume_.free_slots.emplace_back(segment.header.slot);
      continue;
    }
    begin = segment.header.base_sequence;
    kept.push_back(segment);
  }
  std::ranges::reverse(kept);
  segments_ = std::move(kept);
}

void LogRecovery::report_missing() {
  for (std::size_t i = 1; i < segments_.size(); ++i) {
    const SegmentHeader& before = segments_[i - 1].header;
    const SegmentHeader& header = segments_[i].header;
    // Segments between two others vanish only when they were void; then the blocks still join.
    const bool joined =
        !segments_[i - 1].closed ||
        before.base_sequence + segments_[i - 1].footer.block_count >= header.base_sequence;
    if (header.sequence == before.sequence + 1 || joined) continue;
    volume_.findings.push_back({Finding::Kind::kMissingSegment, SlotIndex(header.slot), 0, 0,
                                fmt::format("log {}: segments {} to {} are missing", header.log,
                                            before.sequence + 1, header.sequence - 1)});
  }
}

Result<> LogRecovery::start_behind(const KeptSegment& closed) {
  const SegmentFooter& footer = closed.footer;
  log_.start.next_sequence = BlockSequence(footer.base_sequence + footer.block_count);
  log_.start.last_crc = footer.last_crc;
  const std::uint64_t begin = std::uint64_t{footer.index_position} * kPageBytes;
  const std::size_t bytes = footer.segment_bytes - kPageBytes - begin;
  const PageBuffer buffer = allocate_pages(bytes);
  auto read = device_.read(SlotIndex(footer.slot), begin, {buffer.get(), bytes});
  if (!read) return read;
  volume_.bytes_read += bytes;
  auto index = decode_segment_index({buffer.get(), bytes}, footer);
  if (!index) {
    volume_.findings.push_back({Finding::Kind::kCorruptFooter, SlotIndex(footer.slot), begin, bytes,
                                index.error().what + "; the segment's blocks are read instead"});
    const auto number = std::ranges::find(segments_, footer.sequence,
                                          [](const KeptSegment& s) { return s.header.sequence; });
    log_.start.next_sequence = BlockSequence(footer.base_sequence);
    log_.start.last_crc = closed.header.previous_crc;
    return scan(static_cast<std::size_t>(number - segments_.begin()));
  }
  for (const PartitionEntry& partition : index->partitions) {
    next_offsets_[partition.stream] = partition.next_offset;
  }
  return {};
}

void LogRecovery::take_block(const SegmentScan::Found& found, std::uint32_t number) {
  const BlockHeader& header = found.header;
  log_.start.next_sequence = BlockSequence(header.sequence + 1);
  log_.start.last_crc = header.crc;
  log_.messages += header.message_count;
  index_.blocks.push_back({found.position, header.length / kPageBytes, header.message_count,
                           header.crc, header.first_received_ns, header.last_received_ns});
  BlockReader block(found.bytes);
  for (auto bytes = block.next_run(); !bytes.empty(); bytes = block.next_run()) {
    RunReader run(bytes);
    std::uint64_t payload = 0;
    while (const auto message = run.next()) payload += message->payload.size();
    payload_bytes_ += payload;
    for (std::size_t i = 0; i < run.header().capture_count; ++i) {
      const Capture capture = run.capture(i);
      const auto [at, fresh] =
          index_of_stream_.try_emplace(capture.stream, index_.partitions.size());
      if (fresh) {
        index_.partitions.push_back({.stream = capture.stream,
                                     .first_offset = capture.base_offset,
                                     .next_offset = 0,
                                     .payload_bytes = 0,
                                     .first_block = number,
                                     .last_block = number});
      }
      PartitionEntry& partition = index_.partitions[at->second];
      partition.next_offset = capture.base_offset + run.header().message_count;
      partition.payload_bytes += payload;
      partition.last_block = number;
      next_offsets_[capture.stream] = partition.next_offset;
    }
  }
}

Result<bool> LogRecovery::proven_durable(SegmentScan& scan, std::size_t number,
                                         std::uint64_t sequence,
                                         std::optional<std::uint32_t>& next) {
  bool proven = segments_[number].closed;  // a footer vouches for all its blocks
  for (std::uint32_t from = scan.position() + 1;;) {
    auto found = scan.search(from);
    if (!found) return std::unexpected(std::move(found.error()));
    if (!*found) break;
    if ((*found)->header.sequence > sequence && !next) next = (*found)->position;
    proven |= (*found)->header.durable_sequence > sequence;
    if (proven && next) return true;
    from = (*found)->position + 1;
  }
  for (std::size_t later = number + 1; later < segments_.size() && !proven; ++later) {
    const SegmentHeader& header = segments_[later].header;
    if (header.base_sequence <= sequence) continue;
    SegmentScan other(device_, header, footer_page(header));
    // Its first blocks may have been sealed before the one in question was durable.
    for (std::uint32_t from = 1; !proven;) {
      auto found = other.search(from);
      if (!found) return std::unexpected(std::move(found.error()));
      if (!*found) break;
      proven = (*found)->header.durable_sequence > sequence;
      from = (*found)->position + 1;
    }
  }
  return proven;
}

// Blocks of the segment come before this one. Those that the next segment has again, because a
// write failed here, are void.
std::uint64_t LogRecovery::limit_of(std::size_t number) const {
  std::uint64_t limit = ~std::uint64_t{0};
  if (number + 1 < segments_.size()) limit = segments_[number + 1].header.base_sequence;
  if (segments_[number].closed) {
    const SegmentFooter& footer = segments_[number].footer;
    limit = std::min(limit, footer.base_sequence + footer.block_count);
  }
  return limit;
}

Result<> LogRecovery::scan(std::size_t number) {
  const SegmentHeader& header = segments_[number].header;
  const std::uint64_t limit = limit_of(number);
  // Only what a power cut cannot take away any more may be taken for what the log holds.
  if (auto synced = device_.sync(SlotIndex(header.slot)); !synced) return synced;
  index_ = {};
  payload_bytes_ = 0;
  index_of_stream_.clear();
  whole_ = true;
  SegmentScan scan(device_, header, footer_page(header));
  std::uint32_t count = 0;
  bool joined = true;  // the block here follows the one before it
  while (log_.start.next_sequence.value < limit) {
    const std::uint64_t expected = log_.start.next_sequence.value;
    auto found = scan.here();
    if (!found) return std::unexpected(std::move(found.error()));
    if (*found && (*found)->header.sequence >= expected &&
        (!joined || ((*found)->header.sequence == expected &&
                     (*found)->header.previous_crc == log_.start.last_crc))) {
      joined = true;
      take_block(**found, count++);
      scan.step_over(**found);
      continue;
    }
    const std::uint32_t bad = scan.position();
    const bool blank =
        scan.fault() == BlockFault::kNeverWritten || scan.fault() == BlockFault::kWrongGeneration;
    const std::string_view why =
        *found ? "does not follow the block before it" : to_string(scan.fault());
    std::optional<std::uint32_t> next;
    auto proven = proven_durable(scan, number, expected, next);
    if (!proven) return std::unexpected(std::move(proven.error()));
    scan.go_to(bad);
    if (!*proven) {
      if (!blank || next) {
        volume_.findings.push_back(
            {Finding::Kind::kTornTail, SlotIndex(header.slot), std::uint64_t{bad} * kPageBytes, 0,
             fmt::format("log {}: ends before block {}, which was never acknowledged", header.log,
                         expected)});
      }
      break;
    }
    whole_ = false;
    const std::uint32_t end = next.value_or(footer_page(header));
    volume_.findings.push_back({Finding::Kind::kCorruptBlock, SlotIndex(header.slot),
                                std::uint64_t{bad} * kPageBytes,
                                std::uint64_t{end - bad} * kPageBytes,
                                fmt::format("log {}: block {} was durable and is damaged: {}",
                                            header.log, expected, why)});
    if (!next) {
      skip_rest(number, limit);
      break;
    }
    scan.go_to(*next);
    joined = false;
  }
  position_ = scan.position();
  volume_.bytes_read += scan.bytes_read();
  return {};
}

// Nothing good follows in this segment: the log goes on with the next one, or behind a closed one.
void LogRecovery::skip_rest(std::size_t number, std::uint64_t limit) {
  const KeptSegment& segment = segments_[number];
  if (segment.closed) {
    log_.start.last_crc = segment.footer.last_crc;
  } else if (number + 1 < segments_.size()) {
    log_.start.last_crc = segments_[number + 1].header.previous_crc;
  } else {
    return;
  }
  log_.start.next_sequence = std::max(log_.start.next_sequence, BlockSequence(limit));
}

void LogRecovery::finish(const KeptSegment& last) {
  for (const auto& [stream, next] : next_offsets_) {
    log_.start.partitions.push_back({StreamId(stream), Offset(next)});
  }
  const bool open = !last.closed;
  if (open && index_.blocks.empty() && whole_) {
    // Taken and never used: nothing in it can have been acknowledged.
    volume_.free_slots.emplace_back(last.header.slot);
    segments_.pop_back();
  } else if (open) {
    log_.end = {.next = log_.start.next_sequence,
                .written = log_.start.next_sequence,
                .durable = log_.start.next_sequence,
                .segment = SegmentSequence(last.header.sequence),
                .slot = SlotIndex(last.header.slot),
                .generation = Generation(last.header.generation),
                .position = position_};
    // One with a hole is left as it is: its index could not say where its blocks are.
    if (whole_) {
      log_.start.open =
          LogStart::OpenSegment{last.header, {}, position_, std::move(index_), payload_bytes_};
    }
  }
  log_.segments = std::move(segments_);
}

}  // namespace

Result<RecoveredLog> recover_log(VolumeDevice& device, std::vector<KeptSegment> segments,
                                 RecoveredVolume& volume) {
  CHECK(!segments.empty());
  return LogRecovery(device, std::move(segments), volume).run();
}

}  // namespace penstock
