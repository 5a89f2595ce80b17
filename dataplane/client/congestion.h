// How many frames may be under way: slow start, then one frame more a round trip; 0.7 of it after a
// loss, once a round trip; never less than 4 (docs/pdp.md, RFC 8085).
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/check.h"

namespace penstock::client {

inline constexpr std::uint32_t kWindowFramesMin = 4;
inline constexpr std::uint32_t kWindowFramesFirst = 10;

// One thread. kWindowFramesMin <= window() <= frames_max.
class Congestion {
 public:
  explicit Congestion(std::uint32_t frames_max)
      : frames_max_(std::max(frames_max, kWindowFramesMin)),
        window_(std::min(kWindowFramesFirst, frames_max_)),
        slow_start_below_(frames_max_) {}

  [[nodiscard]] std::uint32_t window() const { return window_; }

  // On another path; `next` is the number of the transmission to come.
  void start(std::uint64_t next) {
    window_ = std::min(kWindowFramesFirst, frames_max_);
    slow_start_below_ = frames_max_;
    toward_next_ = 0;
    shrunk_at_ = next;
  }

  // So many frames arrived. `was_full`: the window, not the sender's lack of frames or credit, was
  // what bound it; a window that nobody fills says nothing about the path.
  void arrived(std::uint32_t frames, bool was_full) {
    if (!was_full) return;
    if (window_ < slow_start_below_) {
      window_ = std::min({window_ + frames, slow_start_below_, frames_max_});
      return;
    }
    toward_next_ += frames;
    while (toward_next_ >= window_) {
      toward_next_ -= window_;
      window_ = std::min(window_ + 1, frames_max_);
    }
  }

  // The newest of some lost frames was that transmission; `next` is the number of the one to come.
  // Those that were under way at the last shrinking are of the same congestion.
  void lost(std::uint64_t transmission, std::uint64_t next) {
    CHECK_LT(transmission, next);
    if (transmission < shrunk_at_) return;
    shrunk_at_ = next;
    window_ = slow_start_below_ =
        std::max(window_ / 10 * 7 + window_ % 10 * 7 / 10, kWindowFramesMin);
    toward_next_ = 0;
  }

  // Nothing was answered for a time-out: the path is found anew.
  void timed_out(std::uint64_t next) {
    if (window_ > kWindowFramesMin) {
      slow_start_below_ = std::max(window_ * 7 / 10, kWindowFramesMin);
    }
    window_ = kWindowFramesMin;
    shrunk_at_ = next;
    toward_next_ = 0;
  }

 private:
  std::uint32_t frames_max_;
  std::uint32_t window_;
  std::uint32_t slow_start_below_;
  std::uint32_t toward_next_ = 0;  // arrived, of the `window_` that make it one larger
  std::uint64_t shrunk_at_ = 0;    // the transmission that was next when it last shrank
};

}  // namespace penstock::client
