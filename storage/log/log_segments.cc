// Which segment a LogWriter's blocks go to: taken, filled, closed or given up.
#include "base/check.h"
#include "storage/log/log_writer.h"

namespace penstock {
namespace {

// What two segments can have to tell at most.
constexpr std::size_t kEventsPerLog = 8;

}  // namespace

void LogWriter::resume(const LogStart::OpenSegment& open) {
  CHECK(open.left_behind.empty());
  auto index = ring_.attach(open.file.fd);
  // A new ring has room for the first file; without it the segment stays open and a fresh one is
  // begun.
  if (!index) return;
  current_ = &segment_a_;
  current_->resume(open.header, open.file, {*index, open.file.base}, open.position, open.index,
                   open.payload_bytes);
  if (!current_->can_close()) {
    // Sessions came here from another log, and this segment is too full to name them.
    tell(SegmentEvent::Kind::kPoisoned, *current_);
    ring_.detach(*index);
    current_ = nullptr;
    return;
  }
  watermarks_.segment = SegmentSequence(open.header.sequence);
  watermarks_.slot = SlotIndex(open.header.slot);
  watermarks_.generation = Generation(open.header.generation);
  watermarks_.position = open.position;
}

// Takes a fresh slot; its header goes into the queue before its blocks.
bool LogWriter::begin_segment() {
  if (failures_ >= kFailuresUntilPause && now_ < retry_at_) return false;
  if (end_op_ - durable_op_ == ops_.size()) return false;
  // The keeper has not read its events for long: without room for a segment's own none is begun.
  if (channel_.events.free() < kEventsPerLog) return false;
  auto slot = channel_.ready.pop();
  wants_slot_ = !slot.has_value();
  if (!slot) return false;
  SegmentWriter* fresh = retiring_ == &segment_a_ ? &segment_b_ : &segment_a_;
  SegmentHeader header{};
  header.volume = options_.volume;
  header.log = options_.log.value;
  header.slot = slot->slot.value;
  header.state = SlotState::kUsed;
  header.previous_crc = placed_crc_;
  header.generation = rng_.next();
  header.sequence = next_segment_.value;
  header.base_sequence = placed_.value;
  header.oldest_sequence = slot->oldest.value;
  header.segment_bytes = options_.segment_bytes;
  header.created_ns = clock_.unix_now().value;
  auto index = ring_.attach(slot->file.fd);
  if (!index) {
    // The kernel is out of memory, say. The slot goes back, and another is tried later.
    ++failures_;
    retry_at_ = now_ + kRetryPauseNs;
    CHECK(channel_.events.push({SegmentEvent::Kind::kVoid, slot->file, header, {}}));
    return false;
  }
  current_ = fresh;
  ++next_segment_;
  current_->begin(header, slot->file, {*index, slot->file.base});
  op(end_op_++) = {.segment = current_, .offset = 0, .bytes = current_->header_page()};
  return true;
}

// The current segment is full. False: the one before it is not closed yet.
bool LogWriter::retire_current() {
  if (retiring_ != nullptr) return false;
  current_->end();
  retiring_ = current_;
  retiring_end_ = placed_;
  retiring_crc_ = placed_crc_;
  current_ = nullptr;
  return true;
}

// The footer vouches for all blocks and for the index, so it is written only when they are durable.
void LogWriter::close_retiring() {
  if (retiring_ == nullptr || closing_ || watermarks_.durable < retiring_end_) return;
  std::uint64_t offset = retiring_->close_offset();
  if (index_durable_) {
    offset = options_.segment_bytes - kPageBytes;
    close_part_ = retiring_->footer_page();
  } else {
    close_part_ = retiring_->close(retiring_crc_, clock_.unix_now());
  }
  closing_ = ring_.queue_write(kCloseToken, retiring_->file(), offset, close_part_, true);
}

void LogWriter::finish_retiring(SegmentEvent::Kind kind) {
  CHECK(retiring_ != nullptr);
  if (kind == SegmentEvent::Kind::kClosed) ++counters_.segments_closed;
  tell(kind, *retiring_);
  ring_.detach(retiring_->file().index);
  retiring_ = nullptr;
}

// A segment that holds durable blocks stays, without a footer; another's slot can be used again.
void LogWriter::give_up(SegmentWriter*& segment) {
  if (segment == nullptr) return;
  const bool holds_durable =
      segment->has_blocks() && watermarks_.durable.value > segment->header().base_sequence;
  tell(holds_durable ? SegmentEvent::Kind::kPoisoned : SegmentEvent::Kind::kVoid, *segment);
  ring_.detach(segment->file().index);
  segment = nullptr;
}

void LogWriter::tell(SegmentEvent::Kind kind, const SegmentWriter& segment) {
  // begin_segment() made sure of the room.
  CHECK(channel_.events.push({kind, segment.slot(), segment.header(), segment.footer()}));
}

}  // namespace penstock
