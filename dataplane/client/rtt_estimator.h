// The retransmission time-out, from round-trip times: RFC 6298, with what docs/pdp.md says of
// granularity, least and largest.
#pragma once

#include <algorithm>
#include <limits>

#include "base/units.h"

namespace penstock::client {

inline constexpr std::int64_t kNanosPerMilli = 1'000'000;
// Times may be added to it.
inline constexpr MonotonicNanos kNever{std::numeric_limits<std::int64_t>::max() / 2};
inline constexpr std::int64_t kTimeoutMinNs = 5 * kNanosPerMilli;
inline constexpr std::int64_t kTimeoutMaxNs = 2 * kNanosPerSecond;
inline constexpr std::int64_t kTimeoutFirstNs = 250 * kNanosPerMilli;  // nothing measured yet
inline constexpr std::int64_t kTimerGranularityNs = kNanosPerMilli;

// One thread.
class RttEstimator {
 public:
  void measured(std::int64_t rtt_ns) {
    rtt_ns = std::max<std::int64_t>(rtt_ns, 1);
    if (!has_sample()) {
      smoothed_ns_ = rtt_ns;
      variation_ns_ = rtt_ns / 2;
      min_ns_ = rtt_ns;
      return;
    }
    const std::int64_t apart =
        smoothed_ns_ > rtt_ns ? smoothed_ns_ - rtt_ns : rtt_ns - smoothed_ns_;
    variation_ns_ += (apart - variation_ns_) / 4;
    smoothed_ns_ += (rtt_ns - smoothed_ns_) / 8;
    min_ns_ = std::min(min_ns_, rtt_ns);
  }

  [[nodiscard]] bool has_sample() const { return min_ns_ != 0; }
  [[nodiscard]] std::int64_t smoothed_ns() const { return smoothed_ns_; }
  [[nodiscard]] std::int64_t min_ns() const { return min_ns_; }

  // Of a transmission that followed `doublings` time-outs without an answer.
  [[nodiscard]] std::int64_t timeout_ns(unsigned doublings = 0) const {
    std::int64_t timeout = kTimeoutFirstNs;
    if (has_sample()) {
      timeout = smoothed_ns_ + std::max(kTimerGranularityNs, 4 * variation_ns_);
      timeout = std::clamp(timeout, kTimeoutMinNs, kTimeoutMaxNs);
    }
    return std::min(timeout << std::min(doublings, 16U), kTimeoutMaxNs);
  }

 private:
  std::int64_t smoothed_ns_ = 0;
  std::int64_t variation_ns_ = 0;
  std::int64_t min_ns_ = 0;
};

}  // namespace penstock::client
