// What the counted proofs of the crash laboratory share: the seed, the short and the long form,
// the workers that share a proof's cases, and the line that tells how many there were.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace penstock::lab {

// PENSTOCK_CRASH_SEED, or 1: the same cases every time.
[[nodiscard]] std::uint64_t seed();

// The long form of `make soak` (PENSTOCK_SOAK_SECONDS): as many cases as a test's share of the time
// holds. The short form has its fixed number of cases and no limit.
class Budget {
 public:
  Budget();
  [[nodiscard]] bool is_long() const { return long_; }
  [[nodiscard]] bool is_over() const { return Clock::now() >= end_; }

 private:
  using Clock = std::chrono::steady_clock;
  bool long_ = false;
  Clock::time_point end_ = Clock::time_point::max();
};

// Counts the cases of a proof and prints them when it ends, however it ends. Any thread.
class Figure {
 public:
  static constexpr std::uint64_t kFailuresToldMax = 20;

  explicit Figure(std::string name) : name_(std::move(name)) {}
  ~Figure();
  Figure(const Figure&) = delete;
  Figure& operator=(const Figure&) = delete;

  // One case: `wrong` says what is, empty when nothing is; `what` names the case.
  void count(std::string_view wrong, const std::function<std::string()>& what);
  [[nodiscard]] std::uint64_t cases() const { return cases_; }
  // A proof that fails everywhere need not go on.
  [[nodiscard]] bool is_hopeless() const { return failed_ > kFailuresToldMax; }

 private:
  std::string name_;
  std::atomic<std::uint64_t> cases_ = 0;
  std::atomic<std::uint64_t> failed_ = 0;
  std::mutex telling_;
};

// Calls work(worker, workers) on a thread for each core and waits for all.
void in_parallel(const std::function<void(unsigned worker, unsigned workers)>& work);

// Closes what a life left open of the files of its folder, as the end of its process does.
void close_files_below(const std::string& folder);

// How to run this test again, as it ran now.
[[nodiscard]] std::string replay();

}  // namespace penstock::lab
