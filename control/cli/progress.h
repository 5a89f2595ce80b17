// How far a long command is, on a terminal: one line of standard error that is written over itself.
#pragma once

#include <cstdint>

#include "base/units.h"

namespace penstock {

// Writes nothing where standard error is no terminal.
class Progress {
 public:
  explicit Progress(bool wanted);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  struct State {
    std::uint64_t messages = 0;  // that reached their level
    std::uint64_t failed = 0;
    std::uint64_t bytes = 0;        // read
    std::uint64_t bytes_total = 0;  // 0: not known
  };
  // Shows it, a few times a second at most.
  void show(const State& state, MonotonicNanos now);
  // Removes the line.
  void clear();

 private:
  bool wanted_;
  bool shown_ = false;
  MonotonicNanos begun_{0};
  MonotonicNanos show_at_{0};
};

}  // namespace penstock
