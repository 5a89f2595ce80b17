#include "control/cli/command.h"

#include <map>

#include <fmt/format.h>

namespace penstock {

ExitCode exit_code_of(Errc code) {
  switch (code) {
    case Errc::kInvalidArgument: return ExitCode::kUsage;
    case Errc::kNotFound: return ExitCode::kNotFound;
    case Errc::kPermissionDenied: return ExitCode::kDenied;
    case Errc::kUnavailable: return ExitCode::kUnreachable;
    case Errc::kAlreadyExists:
    case Errc::kBusy:
    case Errc::kNoSpace:
    case Errc::kIoError:
    case Errc::kCorrupt:
    case Errc::kUnsupportedVersion: return ExitCode::kFailed;
  }
  return ExitCode::kFailed;
}

Result<Config> config_of(const CommandLine& line) {
  auto config = load_config(line.config_path);
  if (config) return std::move(*config);
  std::string what;
  for (const ConfigProblem& problem : config.error()) {
    if (!what.empty()) what += '\n';
    what += to_string(problem);
  }
  return fail(Errc::kInvalidArgument, what + "\n(--config FILE names another configuration)");
}

void add_format(CLI::App& command, OutputFormat& format) {
  static const std::map<std::string, OutputFormat> formats{
      {"table", OutputFormat::kTable},
      {"json",  OutputFormat::kJson }
  };
  command
      .add_option_function<std::string>(
          "--format", [&format](const std::string& name) { format = formats.at(name); },
          "table for people, json for scripts")
      ->check(CLI::IsMember(formats).description(""))
      ->type_name("table|json")
      ->default_str("table");
}

}  // namespace penstock
