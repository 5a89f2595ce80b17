// When to say something again that is not answered: at growing intervals.
#pragma once

#include <algorithm>

#include "dataplane/client/rtt_estimator.h"

namespace penstock::client {

// One thread. Off until start().
class RepeatTimer {
 public:
  // Due at once, then after `first_ns`, each time twice as long after, up to `max_ns`.
  void start(MonotonicNanos now, std::int64_t first_ns, std::int64_t max_ns) {
    deadline_ = now;
    interval_ns_ = std::min(first_ns, max_ns);
    max_ns_ = max_ns;
  }
  void stop() { deadline_ = kNever; }
  [[nodiscard]] bool is_on() const { return deadline_ != kNever; }
  [[nodiscard]] bool is_due(MonotonicNanos now) const { return now >= deadline_; }
  [[nodiscard]] MonotonicNanos deadline() const { return deadline_; }
  // It was said now.
  void said(MonotonicNanos now) {
    deadline_ = now + interval_ns_;
    interval_ns_ = std::min(interval_ns_ * 2, max_ns_);
  }

 private:
  MonotonicNanos deadline_ = kNever;
  std::int64_t interval_ns_ = 0;
  std::int64_t max_ns_ = 0;
};

}  // namespace penstock::client
