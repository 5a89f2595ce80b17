// What every benchmark here reports: items and bytes a second, from what one iteration handles.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace penstock::micro {

struct Handled {
  std::size_t items = 1;
  std::size_t bytes = 0;
};

inline void count(benchmark::State& state, const Handled& each) {
  const auto iterations = static_cast<std::int64_t>(state.iterations());
  state.SetItemsProcessed(iterations * static_cast<std::int64_t>(each.items));
  state.SetBytesProcessed(iterations * static_cast<std::int64_t>(each.bytes));
}

// The benchmark's argument as a size.
[[nodiscard]] inline std::size_t size_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0));
}

// Text without a newline.
[[nodiscard]] inline std::string text(std::size_t bytes, std::string begin = {}) {
  while (begin.size() < bytes) begin += static_cast<char>('a' + begin.size() % 26);
  return begin;
}

// A datagram of lines of that many bytes, packed.
[[nodiscard]] inline std::string lines(std::size_t bytes) {
  std::string packed;
  while (packed.size() < 8000) packed += text(bytes) + '\n';
  return packed;
}

[[nodiscard]] inline std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

}  // namespace penstock::micro
