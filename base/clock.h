// The two clocks of a node, passed in so that a test or a simulation owns time.
#pragma once

#include "base/units.h"

namespace penstock {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual UnixNanos unix_now() = 0;
  [[nodiscard]] virtual MonotonicNanos monotonic_now() = 0;
};

// CLOCK_REALTIME and CLOCK_MONOTONIC through the vDSO: no system call. Any thread.
class SystemClock final : public Clock {
 public:
  UnixNanos unix_now() override;
  MonotonicNanos monotonic_now() override;
};

// Stands still until it is moved. One thread.
class SimClock final : public Clock {
 public:
  UnixNanos unix_now() override { return unix_; }
  MonotonicNanos monotonic_now() override { return monotonic_; }
  void advance(std::int64_t nanos) {
    unix_ += nanos;
    monotonic_ += nanos;
  }
  // A step of the wall clock alone, forwards or backwards.
  void step_unix(std::int64_t nanos) { unix_ += nanos; }

 private:
  UnixNanos unix_{1'700'000'000 * kNanosPerSecond};
  MonotonicNanos monotonic_{kNanosPerSecond};
};

}  // namespace penstock
