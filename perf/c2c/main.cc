// How long a cache line takes from one core to another and back, halved. On a virtual machine it
// has two modes, several times apart, that change within minutes: a figure that two cores made
// together is only comparable with one taken in the same mode.
//
//   c2c CORE CORE [MILLISECONDS]    prints nanoseconds one way

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>

#include "perf/arguments.h"

namespace {

using penstock::number_of;

struct alignas(64) Line {
  std::atomic<std::uint64_t> value{0};
};

void pin(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: c2c CORE CORE [MILLISECONDS]\n");
    return 2;
  }
  const unsigned first = number_of<unsigned>(argv[1]);
  const unsigned second = number_of<unsigned>(argv[2]);
  const auto time = std::chrono::milliseconds(argc > 3 ? number_of<unsigned>(argv[3]) : 100);
  static Line ping;
  static Line pong;
  std::atomic<bool> stop{false};
  std::thread echo([&] {
    pin(second);
    std::uint64_t seen = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      const std::uint64_t now = ping.value.load(std::memory_order_acquire);
      if (now != seen) pong.value.store(seen = now, std::memory_order_release);
    }
  });
  pin(first);
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  std::uint64_t rounds = 0;
  while (Clock::now() - start < time) {
    for (int i = 0; i < 100; ++i) {
      ping.value.store(++rounds, std::memory_order_release);
      while (pong.value.load(std::memory_order_acquire) != rounds) {
      }
    }
  }
  const double nanos = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  stop = true;
  echo.join();
  std::printf("%.1f\n", nanos / static_cast<double>(rounds) / 2);
  return 0;
}
