// Which seeds a test runs, as the environment says.
#pragma once

#include <chrono>
#include <cstdlib>
#include <string>

namespace penstock::sim {

[[nodiscard]] inline std::string environment(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? "" : text;
}

// PENSTOCK_SEED=N runs one seed and tells its trace; PENSTOCK_SEEDS=FIRST:COUNT runs as many as it
// says, and with PENSTOCK_SOAK_SECONDS=N no more than that time holds.
struct Seeds {
  explicit Seeds(std::uint64_t usual_count) : count(usual_count) {
    const std::string one = environment("PENSTOCK_SEED");
    const std::string some = environment("PENSTOCK_SEEDS");
    const std::string seconds = environment("PENSTOCK_SOAK_SECONDS");
    if (!one.empty()) {
      first = std::stoull(one);
      count = 1;
    } else if (!some.empty()) {
      first = std::stoull(some);
      count = std::stoull(some.substr(some.find(':') + 1));
    }
    if (!seconds.empty()) end = Time::now() + std::chrono::seconds(std::stoll(seconds));
    chosen = !one.empty();
  }
  [[nodiscard]] bool time_is_up() const { return Time::now() >= end; }

  using Time = std::chrono::steady_clock;
  std::uint64_t first = 1;
  std::uint64_t count;
  bool chosen = false;
  Time::time_point end = Time::time_point::max();
};

}  // namespace penstock::sim
