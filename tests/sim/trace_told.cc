#include "tests/sim/trace_told.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace penstock::sim {

std::string trace_told(std::uint64_t seed, std::string_view tests) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return "";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  setenv("PENSTOCK_SEED", std::to_string(seed).c_str(), 1);
  std::string self = "sim";
  std::string filter = "--gtest_filter=" + std::string(tests);
  const std::array<char*, 3> words{self.data(), filter.data(), nullptr};
  pid_t child = 0;
  const int spawned =
      posix_spawn(&child, "/proc/self/exe", &actions, nullptr, words.data(), environ);
  unsetenv("PENSTOCK_SEED");
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string trace;
  FILE* said = fdopen(ends[0], "r");
  std::array<char, 256> line;
  while (std::fgets(line.data(), line.size(), said) != nullptr) {
    const std::string_view text(line.data());
    if (text.starts_with("trace of")) trace = text;
  }
  std::fclose(said);
  int status = -1;
  return spawned == 0 && waitpid(child, &status, 0) == child && status == 0 ? trace : "";
}

}  // namespace penstock::sim
