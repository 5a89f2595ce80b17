// Runs the data plane's unit tests in one DPDK environment of plain pages, without devices.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <rte_eal.h>

#include "dataplane/port/eal.h"

namespace {

// One for the process, started before the first test and gone after the last.
class Eal : public testing::Environment {
 public:
  void SetUp() override {
    penstock::EalOptions options;
    options.program = "unit_dataplane";
    options.file_prefix = "penstock-unit-" + std::to_string(getpid());
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
  return RUN_ALL_TESTS();
}
