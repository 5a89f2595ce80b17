#include "base/clock.h"

#include <ctime>

namespace penstock {
namespace {

std::int64_t read_clock(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<std::int64_t>(t.tv_sec) * kNanosPerSecond + t.tv_nsec;
}

}  // namespace

UnixNanos SystemClock::unix_now() { return UnixNanos(read_clock(CLOCK_REALTIME)); }
MonotonicNanos SystemClock::monotonic_now() { return MonotonicNanos(read_clock(CLOCK_MONOTONIC)); }

}  // namespace penstock
