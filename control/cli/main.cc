// penstock: the command line of a node. One noun a file.
#include <csignal>
#include <cstdio>

#include <fmt/format.h>

#include "base/standard_files.h"
#include "base/version.h"
#include "control/cli/command.h"

namespace penstock {
namespace {

int run(int argc, char** argv) {
  CLI::App program("Looks at, reads and checks a Penstock node and its volumes", "penstock");
  CommandLine line;
  program.require_subcommand(1);
  program.set_help_flag("-h,--help", "print the options and end");
  program.add_option("--config", line.config_path, "the node's configuration")
      ->type_name("FILE")
      ->capture_default_str();
  program.set_version_flag("--version", fmt::format("penstock {}", kVersion),
                           "print the version and end");
  add_ledger(program, line);
  add_stat(program, line);
  add_read(program, line);
  add_pub(program, line);
  add_segment(program, line);
  add_verify(program, line);
  add_config(program, line);
  add_version(program, line);
  add_help(program, line);
  try {
    program.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    // What is missing is most often there, misspelt: `penstock stats`.
    const auto unknown = program.remaining(true);
    if (unknown.empty()) {
      program.exit(error);
    } else {
      program.exit(CLI::ExtrasError(unknown));
    }
    return static_cast<int>(ExitCode::kUsage);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  const auto result = line.run();
  if (result) return static_cast<int>(*result);
  fmt::print(stderr, "penstock: {}\n", result.error().what);
  return static_cast<int>(exit_code_of(result.error().code));
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
  constexpr int kFailed = static_cast<int>(penstock::ExitCode::kFailed);
  penstock::open_missing_standard_files();
  // A reader that has seen enough, as head(1), ends this program and no message says so, also where
  // it was started by one that ignores the signal.
  std::signal(SIGPIPE, SIG_DFL);
  int code = kFailed;
  try {
    code = penstock::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "penstock: %s\n", error.what());
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fputs("penstock: standard output does not take what there is to say\n", stderr);
    return kFailed;
  }
  return code;
}
