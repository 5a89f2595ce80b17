// penstock: the command line of a node. One noun a file.
#include <fmt/format.h>

#include "control/cli/command.h"

int main(int argc, char** argv) {
  using namespace penstock;
  CLI::App program("Looks at, reads and checks a Penstock node and its volumes", "penstock");
  CommandLine line;
  program.require_subcommand(1);
  program.add_option("--config", line.config_path, "the node's configuration")
      ->type_name("FILE")
      ->capture_default_str();
  add_ledger(program, line);
  add_stat(program, line);
  add_read(program, line);
  add_segment(program, line);
  add_verify(program, line);
  add_config(program, line);
  add_version(program, line);
  add_help(program, line);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  auto result = line.run();
  if (result) return static_cast<int>(*result);
  fmt::print(stderr, "penstock: {}\n", result.error().what);
  return static_cast<int>(exit_code_of(result.error().code));
}
