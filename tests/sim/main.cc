// Runs the simulation in one DPDK environment of plain pages, without devices: it gives the packet
// buffers. Should the process break, it says which seed did it.
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rte_eal.h>

#include "dataplane/port/eal.h"
#include "tests/sim/run.h"

namespace {

void tell_seed(int signal) {
  std::array<char, 128> text;
  const auto end = fmt::format_to_n(text.data(), text.size(),
                                    "seed {} broke the process; again: make sim SEED={}\n",
                                    penstock::sim::running_seed(), penstock::sim::running_seed());
  static_cast<void>(!write(STDERR_FILENO, text.data(), end.size));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

class Eal : public testing::Environment {
 public:
  void SetUp() override {
    penstock::EalOptions options;
    options.program = "sim";
    options.file_prefix = "penstock-sim-" + std::to_string(getpid());
    options.hugepages = penstock::HugepageUse::kNever;
    options.memory_bytes = 64ULL << 20U;
    const auto started = penstock::start_eal(options);
    ASSERT_TRUE(started.has_value()) << started.error().what;
    runtime_folder_ = rte_eal_get_runtime_dir();
  }
  void TearDown() override { std::filesystem::remove_all(runtime_folder_); }

 private:
  std::filesystem::path runtime_folder_;
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::AddGlobalTestEnvironment(new Eal);
  for (const int signal : {SIGILL, SIGTRAP, SIGABRT}) std::signal(signal, tell_seed);
  return RUN_ALL_TESTS();
}
