#include "storage/log/log_writer.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.h"

namespace penstock {
namespace {

ProducerTable make_producers(const LogOptions& options, const LogStart& start, Rng& rng) {
  const std::size_t most = producers_max(options.segment_bytes);
  CHECK_LE(options.producers, most);
  const std::size_t capacity =
      options.producers != 0 ? options.producers : std::min(start.producers.size(), most);
  ProducerTable made(capacity, capacity == 0 ? 0 : rng.next());
  for (const LogStart::Producer& producer : start.producers) {
    made.recall(producer.session, producer.next_sequence, producer.last_used);
  }
  return made;
}

}  // namespace

LogWriter::LogWriter(const LogOptions& options, const LogStart& start, BlockPool& pool,
                     IoRing& ring, SegmentChannel& channel, Clock& clock, Rng& rng,
                     LogObserver& observer)
    : options_(options),
      pool_(pool),
      ring_(ring),
      channel_(channel),
      clock_(clock),
      rng_(rng),
      observer_(observer),
      producers_(make_producers(options, start, rng)),
      builder_(captures_, producers_, options.drive_reads),
      now_(clock.monotonic_now()),
      sealed_(pool.blocks() + 1),
      segment_a_(options.segment_bytes, options.block_bytes, captures_, producers_),
      segment_b_(options.segment_bytes, options.block_bytes, captures_, producers_),
      next_segment_(start.next_segment),
      ops_(pool.blocks() + 2),
      placed_(start.next_sequence),
      placed_crc_(start.last_crc),
      durable_crc_(start.last_crc) {
  for (const LogStart::Partition& partition : start.partitions) {
    CHECK(captures_.add_partition(partition.stream, partition.next_offset).has_value());
  }
  captures_.begin_new_at(start.new_partitions);
  watermarks_.next = watermarks_.written = watermarks_.durable = start.next_sequence;
  if (start.open) resume(*start.open);
}

Appended LogWriter::append_to_new_block(CaptureSetId set, std::size_t origin,
                                        const MessageView& message) {
  if (!builder_.fits_empty(set, message, options_.block_bytes)) return Appended::kTooLarge;
  const Appended started = start_block();
  if (started == Appended::kOk) CHECK(builder_.append(set, origin, message));
  return started;
}

Appended LogWriter::append_to_new_block(CaptureSetId set, std::size_t origin,
                                        const ProducerRun& run) {
  if (!builder_.fits_empty(set, run, options_.block_bytes)) return Appended::kTooLarge;
  const Appended started = start_block();
  if (started == Appended::kOk) CHECK(builder_.append_run(set, origin, run));
  return started;
}

Appended LogWriter::start_block() {
  seal();
  Block* block = pool_.take();
  if (block == nullptr) return why_no_block();
  builder_.start(block);
  opened_at_ = now_;
  return Appended::kOk;
}

Appended LogWriter::why_no_block() const {
  if (failures_ >= kFailuresUntilPause) return Appended::kVolumeFailed;
  if (!wants_slot_) return Appended::kDriveSlow;
  // relaxed: a hint for the books; nothing else depends on it.
  switch (channel_.shortage.load(std::memory_order_relaxed)) {
    case Shortage::kFull: return Appended::kVolumeFull;
    case Shortage::kFailed: return Appended::kVolumeFailed;
    case Shortage::kNone: break;
  }
  return Appended::kDriveSlow;
}

void LogWriter::seal() {
  hurried_ = false;
  if (!builder_.has_messages()) return;
  sealed_[sealed_end_++ % sealed_.size()] = builder_.finish();
  ++watermarks_.next;
  ++counters_.blocks_sealed;
}

void LogWriter::seal_due() {
  if (!builder_.has_messages()) return;
  const std::uint64_t busy = (sealed_end_ - sealed_begin_) + (end_op_ - durable_op_);
  const bool is_quarter = 4 * builder_.used_bytes() >= options_.block_bytes;
  const bool wanted = hurried_ && busy < (is_quarter ? kHurriedQuarters : kHurriedWrites);
  if (wanted || now_ - opened_at_ >= options_.linger_ns) seal();
}

bool LogWriter::poll(MonotonicNanos now) {
  now_ = now;
  bool worked = reap();
  if (failed_) {
    // The kernel may still read the buffers: they are restamped only when all writes are back.
    if (ring_.in_flight() == 0) start_over();
  } else {
    seal_due();
    worked |= place_sealed();
    worked |= submit_waiting();
    flush();
    close_retiring();
  }
  ring_.submit();
  return worked;
}

bool LogWriter::reap() {
  std::array<IoCompletion, 32> completions;
  const std::size_t count = ring_.reap(completions);
  for (std::size_t i = 0; i < count; ++i) complete(completions[i]);
  if (count > 0 && !failed_) advance();
  return count > 0;
}

void LogWriter::complete(const IoCompletion& completion) {
  const bool flush = completion.token == kFlushToken;
  std::int32_t expected = 0;
  if (completion.token == kCloseToken) {
    expected = static_cast<std::int32_t>(close_part_.size());
  } else if (!flush) {
    expected = static_cast<std::int32_t>(op(completion.token).bytes.size());
  }
  const bool good = completion.result == expected;
  if (!good) {
    ++(flush ? counters_.flush_errors : counters_.write_errors);
    // A short write is a failed one: what it left on the drive is not known.
    counters_.last_errno = completion.result < 0 ? -completion.result : EIO;
  }
  if (completion.token == kCloseToken) {
    closing_ = false;
    index_durable_ = good && !index_durable_;
    if (index_durable_) return;
    // Without a footer the segment is read block by block: nothing is lost.
    finish_retiring(good ? SegmentEvent::Kind::kClosed : SegmentEvent::Kind::kPoisoned);
    return;
  }
  failed_ |= !good;
  if (flush) {
    if (good && !failed_) make_durable(flush_end_);
    flush_end_ = 0;
  } else {
    op(completion.token).state = Op::State::kWritten;
  }
}

// Watermarks move over the unbroken beginning of the queue only.
void LogWriter::advance() {
  const bool sync = options_.durability == Durability::kSync;
  while (written_op_ != submitted_op_ && op(written_op_).state == Op::State::kWritten) {
    if (const Block* block = op(written_op_).block; block != nullptr) {
      ++watermarks_.written;
      if (!sync) tell_written(*block);
    }
    ++written_op_;
  }
  if (sync) make_durable(written_op_);
}

void LogWriter::tell_written(const Block& block) {
  for (const RunNote& note : block.run_notes.first(block.notes)) {
    if (note.producer != kNoProducer) producers_.write(note.producer, note.producer_end);
  }
  observer_.on_written(block);
}

void LogWriter::make_durable(std::uint64_t end) {
  for (; durable_op_ != end; ++durable_op_) {
    const Op& done = op(durable_op_);
    const SegmentWriter& segment = *done.segment;
    if (done.block == nullptr) {
      ++counters_.segments_taken;
      tell(SegmentEvent::Kind::kTaken, segment);
      continue;
    }
    const BlockHeader& header = done.block->header;
    CHECK_EQ(header.sequence, watermarks_.durable.value);
    for (const RunNote& note : done.block->run_notes.first(done.block->notes)) {
      for (const std::uint32_t i : captures_.partitions_of(note.set)) {
        captures_.at(i).durable_offset += note.messages;
      }
      if (note.producer != kNoProducer) producers_.make_durable(note.producer, note.producer_end);
    }
    ++watermarks_.durable;
    watermarks_.segment = SegmentSequence(segment.header().sequence);
    watermarks_.slot = SlotIndex(segment.header().slot);
    watermarks_.generation = Generation(segment.header().generation);
    watermarks_.position = header.position + header.length / kPageBytes;
    durable_crc_ = header.crc;
    failures_ = 0;
    ++counters_.blocks_durable;
    observer_.on_durable(*done.block);
    pool_.give_back(done.block);
  }
  CHECK_LE(watermarks_.durable, watermarks_.written);
  CHECK_LE(watermarks_.written, watermarks_.next);
}

void LogWriter::flush() {
  if (options_.durability != Durability::kFlush || flush_end_ != 0 || durable_op_ == written_op_) {
    return;
  }
  // One flush is of one file: it covers the operations up to the first of another segment.
  std::uint64_t end = durable_op_;
  while (end != written_op_ && op(end).segment == op(durable_op_).segment) ++end;
  if (ring_.queue_flush(kFlushToken, op(durable_op_).segment->file())) flush_end_ = end;
}

bool LogWriter::place_sealed() {
  bool placed = false;
  while (sealed_begin_ != sealed_end_) {
    Block* block = sealed_[sealed_begin_ % sealed_.size()];
    if (current_ != nullptr && !current_->has_room(block->header.length) && !retire_current())
      break;
    if (current_ == nullptr && !begin_segment()) break;
    CHECK(current_->has_room(block->header.length));  // a block is a quarter of a segment at most
    const std::uint64_t offset = current_->place(*block, placed_, watermarks_.durable, placed_crc_);
    placed_crc_ = block->header.crc;
    ++placed_;
    ++sealed_begin_;
    op(end_op_++) = {.block = block,
                     .segment = current_,
                     .offset = offset,
                     .bytes = block->bytes.first(block->header.length)};
    placed = true;
  }
  return placed;
}

bool LogWriter::submit_waiting() {
  bool submitted = false;
  while (submitted_op_ != end_op_ && submitted_op_ - written_op_ < options_.queue_depth) {
    Op& next = op(submitted_op_);
    if (!ring_.queue_write(submitted_op_, next.segment->file(), next.offset, next.bytes,
                           options_.durability == Durability::kSync)) {
      break;
    }
    next.state = Op::State::kSubmitted;
    counters_.bytes_submitted += next.bytes.size();
    ++submitted_op_;
    submitted = true;
  }
  return submitted;
}

// After a failure: what is not durable is placed again, in order, in a fresh segment.
void LogWriter::start_over() {
  ++counters_.segments_poisoned;
  ++failures_;
  retry_at_ = now_ + kRetryPauseNs;
  // The unplaced blocks follow the placed ones: put those back in front of them.
  for (std::uint64_t i = end_op_; i != durable_op_; --i) {
    Block* block = op(i - 1).block;
    if (block == nullptr) continue;
    if (sealed_begin_ == 0) {
      // Room in front of a ring that counts from zero.
      sealed_begin_ += sealed_.size();
      sealed_end_ += sealed_.size();
    }
    sealed_[--sealed_begin_ % sealed_.size()] = block;
  }
  durable_op_ = written_op_ = submitted_op_ = end_op_;
  watermarks_.written = watermarks_.durable;
  placed_ = watermarks_.durable;
  placed_crc_ = durable_crc_;
  for (Partition& partition : captures_.all()) partition.placed_offset = partition.durable_offset;
  producers_.start_over();
  if (watermarks_.durable < retiring_end_) give_up(retiring_);
  give_up(current_);
  failed_ = false;
}

bool LogWriter::drained() const {
  return !builder_.has_messages() && sealed_begin_ == sealed_end_ && durable_op_ == end_op_ &&
         retiring_ == nullptr && !failed_;
}

void LogWriter::mark_clean_end() {
  if (!drained() || current_ == nullptr || !current_->has_room(kPageBytes)) return;
  Block* block = pool_.take();
  if (block == nullptr) return;
  builder_.start(block);
  sealed_[sealed_end_++ % sealed_.size()] = builder_.finish();
  ++watermarks_.next;
}

MessageCount LogWriter::in_flight() const {
  MessageCount sum = builder_.count();
  const auto add = [&](const Block* block) {
    if (block == nullptr) return;
    sum.messages += block->total.messages;
    sum.bytes += block->total.bytes;
  };
  for (std::uint64_t i = sealed_begin_; i != sealed_end_; ++i) add(sealed_[i % sealed_.size()]);
  for (std::uint64_t i = durable_op_; i != end_op_; ++i) add(op(i).block);
  return sum;
}

}  // namespace penstock
