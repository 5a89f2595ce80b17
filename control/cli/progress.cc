#include "control/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "control/cli/table.h"
#include "control/config/value.h"

namespace penstock {
namespace {

constexpr std::int64_t kShowEveryNs = 100'000'000;
constexpr std::size_t kBarCells = 24;

std::string bar(std::uint64_t done, std::uint64_t total) {
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto cells = static_cast<std::size_t>(part * static_cast<double>(kBarCells));
  return fmt::format("[{}{}] {:3.0f} %  ", std::string(cells, '='),
                     std::string(kBarCells - cells, ' '), part * 100);
}

}  // namespace

Progress::Progress(bool wanted) : wanted_(wanted && isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() { clear(); }

void Progress::show(const State& state, MonotonicNanos now) {
  if (!wanted_ || now < show_at_) return;
  if (begun_ == MonotonicNanos(0)) begun_ = now;
  show_at_ = now + kShowEveryNs;
  shown_ = true;
  const double seconds = std::max(1e-3, static_cast<double>(now - begun_) / 1e9);
  const double rate = static_cast<double>(state.messages) / seconds;
  fmt::print(stderr, "\r{}{} messages, {}/s{}\x1B[K",
             state.bytes_total == 0 ? "" : bar(state.bytes, state.bytes_total),
             grouped(state.messages), grouped(static_cast<std::uint64_t>(rate)),
             state.failed == 0 ? "" : fmt::format(", {} failed", grouped(state.failed)));
  std::fflush(stderr);
}

void Progress::clear() {
  if (!shown_) return;
  std::fputs("\r\x1B[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace penstock
