// Which of the frames under way are lost: those sent before three that arrived later, and all when
// the oldest was not acknowledged within the retransmission time-out (docs/pdp.md).
//
// Each transmission has a number. What arrives tells of its transmission only when the frame was
// sent once: of two copies nobody knows which one it was.
#pragma once

#include "dataplane/client/frame_list.h"
#include "dataplane/client/rtt_estimator.h"

namespace penstock::client {

inline constexpr std::uint64_t kArrivedLater = 3;

// What a step found lost.
struct Losses {
  std::uint32_t frames = 0;
  std::uint32_t long_frames = 0;  // of them longer than what every path takes
  std::uint64_t newest = 0;       // the largest number of a lost transmission
};

// One thread; of one ring, whose entries' states and links are written here only.
class LossDetector {
 public:
  // Each frame goes over the wire with so many bytes more than its entry says.
  LossDetector(FrameRing& ring, std::size_t trailer_bytes)
      : ring_(ring), trailer_bytes_(trailer_bytes) {}

  [[nodiscard]] std::uint64_t next_transmission() const { return next_transmission_; }
  [[nodiscard]] std::uint32_t in_flight() const { return in_flight_.frames(); }
  [[nodiscard]] std::uint64_t in_flight_bytes() const { return in_flight_bytes_; }
  [[nodiscard]] FrameId next_lost() const { return lost_.oldest(); }

  // A frame that was queued or lost is under way.
  void sent(FrameId id, MonotonicNanos now);
  // The node has it. False: that was known.
  bool received(FrameId id);
  // A frame under way is to be sent again, whatever is known of it.
  void resend(FrameId id);
  // A lost frame was split: the rest is to be sent right behind its beginning.
  void split(FrameId beginning, FrameId rest);
  // The node was heard after all: time-outs are as short as they were.
  void heard() { timeouts_in_row_ = 0; }
  // Nothing is known of the frame any more: it will be sent as if it were new.
  void forget(FrameId id);

  [[nodiscard]] Losses find_overtaken();
  // All that is under way is lost: call it when deadline() has passed.
  [[nodiscard]] Losses time_out();
  // When the oldest frame under way times out; never when there is none.
  [[nodiscard]] MonotonicNanos deadline(const RttEstimator& rtt) const;

 private:
  [[nodiscard]] std::size_t length(FrameId id) const {
    return ring_[id].frame_bytes() + trailer_bytes_;
  }
  void leave_list(FrameId id);
  void lose_oldest(Losses& losses);

  FrameRing& ring_;
  std::size_t trailer_bytes_;
  FrameList in_flight_;
  FrameList lost_;
  std::uint64_t in_flight_bytes_ = 0;
  std::uint64_t next_transmission_ = 1;
  std::uint64_t newest_arrived_ = 0;
  unsigned timeouts_in_row_ = 0;
};

}  // namespace penstock::client
