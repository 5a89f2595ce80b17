// Frames of a ring in the order in which they were put here: those under way by their transmission,
// those to be sent again by when that was found out.
#pragma once

#include "dataplane/client/frame_ring.h"

namespace penstock::client {

// One thread. A frame is in at most one list at a time: the links are in its entry.
class FrameList {
 public:
  [[nodiscard]] bool empty() const { return oldest_ == kNone; }
  [[nodiscard]] FrameId oldest() const { return oldest_; }
  [[nodiscard]] std::uint32_t frames() const { return frames_; }

  void push_newest(FrameRing& ring, FrameId id) { insert_behind(ring, newest_, id); }
  // Behind `before`; kNone: as the oldest.
  void insert_behind(FrameRing& ring, FrameId before, FrameId id) {
    const FrameId after = before == kNone ? oldest_ : ring[before].newer;
    ring[id].older = before;
    ring[id].newer = after;
    (before == kNone ? oldest_ : ring[before].newer) = id;
    (after == kNone ? newest_ : ring[after].older) = id;
    ++frames_;
  }
  void remove(FrameRing& ring, FrameId id) {
    CHECK_GT(frames_, 0U);
    FrameEntry& entry = ring[id];
    (entry.older == kNone ? oldest_ : ring[entry.older].newer) = entry.newer;
    (entry.newer == kNone ? newest_ : ring[entry.newer].older) = entry.older;
    entry.older = entry.newer = kNone;
    --frames_;
  }

 private:
  FrameId oldest_ = kNone;
  FrameId newest_ = kNone;
  std::uint32_t frames_ = 0;
};

}  // namespace penstock::client
