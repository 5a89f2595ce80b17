#include "dataplane/client/loss_detector.h"

#include <limits>

namespace penstock::client {

void LossDetector::leave_list(FrameId id) {
  switch (ring_[id].state) {
    case FrameState::kInFlight:
      CHECK_GE(in_flight_bytes_, length(id));
      in_flight_bytes_ -= length(id);
      in_flight_.remove(ring_, id);
      break;
    case FrameState::kLost: lost_.remove(ring_, id); break;
    case FrameState::kQueued:
    case FrameState::kReceived: break;
  }
}

void LossDetector::sent(FrameId id, MonotonicNanos now) {
  FrameEntry& entry = ring_[id];
  CHECK(entry.state == FrameState::kQueued || entry.state == FrameState::kLost);
  leave_list(id);
  entry.state = FrameState::kInFlight;
  entry.sent = now;
  entry.transmission = next_transmission_++;
  if (entry.transmissions != std::numeric_limits<std::uint16_t>::max()) ++entry.transmissions;
  in_flight_.push_newest(ring_, id);
  in_flight_bytes_ += length(id);
}

bool LossDetector::received(FrameId id) {
  FrameEntry& entry = ring_[id];
  if (entry.state == FrameState::kReceived) return false;
  leave_list(id);
  entry.state = FrameState::kReceived;
  if (entry.transmissions == 1) newest_arrived_ = std::max(newest_arrived_, entry.transmission);
  timeouts_in_row_ = 0;
  return true;
}

void LossDetector::resend(FrameId id) {
  CHECK(ring_[id].state == FrameState::kInFlight);
  leave_list(id);
  ring_[id].state = FrameState::kLost;
  lost_.push_newest(ring_, id);
}

void LossDetector::split(FrameId beginning, FrameId rest) {
  CHECK(ring_[beginning].state == FrameState::kLost);
  CHECK(ring_[rest].state == FrameState::kLost);
  lost_.insert_behind(ring_, beginning, rest);
}

void LossDetector::forget(FrameId id) {
  leave_list(id);
  ring_[id].state = FrameState::kQueued;
}

void LossDetector::lose_oldest(Losses& losses) {
  const FrameId id = in_flight_.oldest();
  ++losses.frames;
  if (length(id) > pdp::kSmallFrameBytesMax) ++losses.long_frames;
  losses.newest = std::max(losses.newest, ring_[id].transmission);
  resend(id);
}

Losses LossDetector::find_overtaken() {
  Losses losses;
  while (!in_flight_.empty() &&
         ring_[in_flight_.oldest()].transmission + kArrivedLater <= newest_arrived_) {
    lose_oldest(losses);
  }
  return losses;
}

Losses LossDetector::time_out() {
  Losses losses;
  while (!in_flight_.empty()) lose_oldest(losses);
  if (losses.frames != 0) ++timeouts_in_row_;
  return losses;
}

MonotonicNanos LossDetector::deadline(const RttEstimator& rtt) const {
  if (in_flight_.empty()) return kNever;
  return ring_[in_flight_.oldest()].sent + rtt.timeout_ns(timeouts_in_row_);
}

}  // namespace penstock::client
