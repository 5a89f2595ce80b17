// What an ACK says of the frames that were sent.
#include "dataplane/client/session_core.h"

namespace penstock::client {

std::uint64_t SessionCore::level_mark() const {
  switch (level_) {
    case pdp::Level::kNone:
    case pdp::Level::kReceived: return received_;
    case pdp::Level::kWritten: return written_;
    case pdp::Level::kDurable: return durable_;
  }
  return 0;
}

void SessionCore::on_ack(const pdp::Frame& frame, MonotonicNanos now) {
  const auto ack = pdp::body_of<pdp::AckBody>(frame);
  const pdp::AckRanges ranges(frame);
  const std::uint64_t end = ranges.size() == 0 ? ack.received : ranges[ranges.size() - 1].end;
  if (end > sent_end()) return drop(DatagramDrop::kImpossible);
  ++statistics_.acks;
  if (const auto elapsed = since(ack.echoed_us, now)) {
    const std::int64_t rtt = *elapsed - std::int64_t{ack.delay_us} * 1000;
    if (rtt >= 0) rtt_.measured(rtt);
  }
  arrived_ = 0;
  take_received(ack.received);
  take_ranges(ranges);
  take_marks(ack);
  if (arrived_ != 0) {
    congestion_.arrived(arrived_, window_was_full_);
    took_losses(loss_.find_overtaken());
  }
  if (ack.probe_bytes != 0) path_.answered(ack.probe_bytes, now);
  if (level_ != pdp::Level::kNone) pop_finished();
}

// Each number only grows. The credit does not: of two ACKs that say the same the later one has it.
void SessionCore::take_marks(const pdp::AckBody& ack) {
  if (ack.received >= received_ && ack.limit >= limit_) {
    credit_bytes_ = ack.credit_bytes;
    statistics_.credit_state = ack.state;
  }
  received_ = std::max(received_, ack.received);
  written_ = std::max(written_, ack.written);
  durable_ = std::max(durable_, ack.durable);
  limit_ = std::max(limit_, ack.limit);
  statistics_.lost = std::max(statistics_.lost, ack.lost);
  CHECK_LE(durable_, written_);
  CHECK_LE(written_, received_);
}

void SessionCore::mark_received(FrameId id) {
  if (!loss_.received(id)) return;
  ++arrived_;
  if (ring_[id].frame_bytes() + trailer_bytes_ > pdp::kSmallFrameBytesMax) {
    path_.long_frame_arrived();
  }
}

void SessionCore::take_received(std::uint64_t received) {
  if (received <= received_) return;
  std::size_t place = ring_.place_behind(received_);
  for (; place < ring_.size() && ring_[ring_.id_at(place)].end() <= received; ++place) {
    mark_received(ring_.id_at(place));
  }
  if (place == ring_.size()) return;
  // A node takes frames whole; one that says otherwise is not sent again what it has.
  const FrameId id = ring_.id_at(place);
  if (ring_[id].sequence >= received || ring_[id].state == FrameState::kReceived) return;
  if (ring_[id].state == FrameState::kInFlight) loss_.resend(id);
  if (!ring_.split_before(place, received)) return;
  loss_.split(id, ring_.id_at(place + 1));
  mark_received(id);
}

// Each ACK repeats the ranges of the one before it: what was walked over is not walked over again.
void SessionCore::take_ranges(const pdp::AckRanges& ranges) {
  std::array<pdp::AckRange, pdp::kAckRangesMax> before = ranges_;
  const std::size_t before_count = range_count_;
  range_count_ = ranges.size();
  std::size_t known = 0;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const pdp::AckRange range = ranges[i];
    ranges_[i] = range;
    while (known < before_count && before[known].end < range.first) ++known;
    std::uint64_t from = range.first;
    if (known < before_count && before[known].first <= range.first) {
      from = std::min(before[known].end, range.end);
    }
    if (from == range.end) continue;
    for (std::size_t place = ring_.place_behind(from); place < ring_.size(); ++place) {
      const FrameEntry& entry = ring_[ring_.id_at(place)];
      if (entry.end() > range.end) break;
      if (entry.sequence >= range.first) mark_received(ring_.id_at(place));
    }
  }
}

void SessionCore::took_losses(const Losses& losses) {
  if (losses.frames == 0) return;
  statistics_.frames_lost += losses.frames;
  path_.long_frames_lost(losses.long_frames);
  congestion_.lost(losses.newest, loss_.next_transmission());
}

}  // namespace penstock::client
