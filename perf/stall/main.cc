// What the machine itself keeps a polling core from: reads the clock on one core as fast as it can,
// and tells by how much a message that is due at any moment would be late because the core was
// doing something else just then. With `yield` it is no more than a load beside something else, and
// gives the core to whoever wants it.
//
//   stall CORE SECONDS [yield]    prints {"p50": US, "p99": US, "p99.9": US, "max": US}

#include <sched.h>

#include <cstdint>
#include <cstdio>
#include <string_view>

#include "base/clock.h"
#include "base/histogram.h"
#include "perf/arguments.h"

namespace {

using penstock::MonotonicNanos;

constexpr std::int64_t kDueEveryNs = 100;

}  // namespace

int main(int argc, char** argv) {
  const bool yields = argc == 4 && std::string_view(argv[3]) == "yield";
  const auto core = argc < 3 ? std::nullopt : penstock::parse_number<unsigned>(argv[1]);
  const auto seconds = argc < 3 ? std::nullopt : penstock::parse_number<double>(argv[2]);
  if ((argc > 3 && !yields) || !core || *core >= CPU_SETSIZE || !seconds) {
    std::fprintf(stderr, "usage: stall CORE SECONDS [yield]\n");
    return 2;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(*core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) {
    std::perror("stall: the core");
    return 1;
  }
  penstock::SystemClock clock;
  penstock::Histogram late;
  const MonotonicNanos start = clock.monotonic_now();
  const MonotonicNanos end = start + static_cast<std::int64_t>(*seconds * 1e9);
  MonotonicNanos due = start;
  for (MonotonicNanos now = start; now < end; now = clock.monotonic_now()) {
    for (; due <= now; due = due + kDueEveryNs) {
      late.record(static_cast<std::uint64_t>(now - due), 1);
    }
    if (yields) sched_yield();
  }
  const auto micros = [&](double share) { return static_cast<double>(late.at(share)) / 1e3; };
  std::printf("{\"p50\": %.3f, \"p99\": %.3f, \"p99.9\": %.3f, \"max\": %.3f}\n", micros(0.5),
              micros(0.99), micros(0.999), static_cast<double>(late.max()) / 1e3);
  return 0;
}
