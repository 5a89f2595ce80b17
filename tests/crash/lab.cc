#include "tests/crash/lab.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

// What a case frees the next one takes again: given back to the kernel in between, it costs more
// than the case.
extern "C" {
const char* malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1";
}

namespace penstock::lab {

std::uint64_t seed() {
  const char* chosen = std::getenv("PENSTOCK_CRASH_SEED");
  return chosen == nullptr ? 1 : std::stoull(chosen);
}

Budget::Budget() {
  const char* seconds = std::getenv("PENSTOCK_SOAK_SECONDS");
  if (seconds == nullptr) return;
  long_ = true;
  const int tests = std::max(testing::UnitTest::GetInstance()->test_to_run_count(), 1);
  end_ = Clock::now() + std::chrono::milliseconds(1'000 * std::stoll(seconds) / tests);
}

std::string replay() {
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  if (test == nullptr) return "";
  return fmt::format("PENSTOCK_CRASH_SEED={} build/release/tests/crash --gtest_filter={}.{}",
                     seed(), test->test_suite_name(), test->name());
}

Figure::~Figure() {
  fmt::print("FIGURE name={} cases={} failed={}\n", name_, cases_.load(), failed_.load());
  std::fflush(stdout);
}

void Figure::count(std::string_view wrong, const std::function<std::string()>& what) {
  ++cases_;
  if (wrong.empty() || ++failed_ > kFailuresToldMax) return;
  const std::scoped_lock lock(telling_);
  ADD_FAILURE() << what() << ": " << wrong << "; again: " << replay();
}

void close_files_below(const std::string& folder) {
  std::vector<int> files;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (!gone && target.native().starts_with(folder)) {
      files.push_back(std::stoi(entry.path().filename().string()));
    }
  }
  for (const int file : files) close(file);
}

void in_parallel(const std::function<void(unsigned worker, unsigned workers)>& work) {
  const unsigned workers = std::max(std::thread::hardware_concurrency(), 1U);
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < workers; ++i) threads.emplace_back(work, i, workers);
}

}  // namespace penstock::lab
