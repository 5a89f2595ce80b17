// What all commands of `penstock` share: where the node is, how output looks, what exit codes mean.
#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include "base/result.h"
#include "control/config/config.h"

namespace penstock {

// Documented in penstock(1).
enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,         // what was asked for failed, or what was checked is not as it should be
  kUsage = 2,          // the command line or the configuration is wrong
  kNotFound = 3,       // the thing named does not exist
  kNotChecked = 3,     // a volume could not be checked: a node is running on it
  kUnreachable = 4,    // no node answers or has answered here
  kDenied = 5,         // this user may not
  kInterrupted = 130,  // by SIGINT, before it was done: as a shell says it
};
[[nodiscard]] ExitCode exit_code_of(Errc code);

enum class OutputFormat : std::uint8_t { kTable, kJson };

// The chosen command puts itself into `run`; main() runs it when the whole line was understood.
struct CommandLine {
  std::string config_path = "/etc/penstock/penstock.toml";
  std::function<Result<ExitCode>()> run;
};

// The configuration that --config names; the error lists every problem.
[[nodiscard]] Result<Config> config_of(const CommandLine& line);

// Adds --format table|json.
void add_format(CLI::App& command, OutputFormat& format);

// One function a noun; each adds its commands to the program.
void add_ledger(CLI::App& program, CommandLine& line);
void add_stat(CLI::App& program, CommandLine& line);
void add_read(CLI::App& program, CommandLine& line);
void add_pub(CLI::App& program, CommandLine& line);
void add_segment(CLI::App& program, CommandLine& line);
void add_verify(CLI::App& program, CommandLine& line);
void add_config(CLI::App& program, CommandLine& line);
void add_version(CLI::App& program, CommandLine& line);
void add_help(CLI::App& program, CommandLine& line);

}  // namespace penstock
