// So many a second, and a burst at once: kept as the time at which the bucket will be full again.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/units.h"

namespace penstock {

class TokenBucket {
 public:
  // `per_second` at most 1e9; zero refuses everything. `burst` of at least one.
  constexpr TokenBucket(std::uint32_t per_second, std::uint32_t burst)
      : interval_ns_(per_second == 0 ? 0 : kNanosPerSecond / per_second),
        burst_ns_(interval_ns_ * (burst - 1)) {}

  // Whether one more is allowed now. `now` does not go back.
  [[nodiscard]] constexpr bool take(MonotonicNanos now) {
    if (interval_ns_ == 0) return false;
    const MonotonicNanos from = std::max(full_, now);
    if (from - now > burst_ns_) return false;
    full_ = from + interval_ns_;
    return true;
  }

 private:
  std::int64_t interval_ns_;  // between two tokens
  std::int64_t burst_ns_;
  MonotonicNanos full_;
};

}  // namespace penstock
