// `penstock config`: what a configuration says, and what its keys mean.
#include <algorithm>

#include <fmt/format.h>

#include "control/cli/books_json.h"
#include "control/cli/command.h"
#include "control/cli/table.h"
#include "control/config/value.h"

namespace penstock {
namespace {

Json problem_json(const ConfigProblem& problem) {
  return {
      {"file", problem.file},
      {"line", problem.line},
      {"key",  problem.key },
      {"what", problem.what}
  };
}

Json problems_json(const std::vector<ConfigProblem>& problems) {
  Json json = Json::array();
  for (const ConfigProblem& problem : problems) json.push_back(problem_json(problem));
  return json;
}

Result<ExitCode> check(const std::string& path, OutputFormat format) {
  const auto config = load_config(path, NamedFiles::kChecked);
  if (format == OutputFormat::kJson) {
    Json json = {
        {"file", path              },
        {"good", config.has_value()}
    };
    json["problems"] = config ? Json::array() : problems_json(config.error());
    if (config) {
      json["memory_bound"] = memory_bound(*config);
      json["warnings"] = problems_json(config->warnings);
    }
    print_json(json);
  } else if (config) {
    for (const ConfigProblem& warning : config->warnings) {
      fmt::print("warning: {}\n", to_string(warning));
    }
    fmt::print("{}: good; takes at most {} MiB of memory\n", path, memory_bound(*config) / kMiB);
  } else {
    for (const ConfigProblem& problem : config.error()) fmt::print("{}\n", to_string(problem));
  }
  return config ? ExitCode::kOk : ExitCode::kUsage;
}

Json key_json(const ConfigKey& key) {
  return {
      {"key",     key.path                                                           },
      {"type",    key.type                                                           },
      {"default", key.default_value.empty() ? Json(nullptr) : Json(key.default_value)},
      {"help",    key.help                                                           }
  };
}

std::string key_text(const ConfigKey& key) {
  return fmt::format(
      "{}\n  {}\n  type: {}; {}\n", key.path, key.help, key.type,
      key.default_value.empty() ? "must be given" : fmt::format("default: {}", key.default_value));
}

// All keys that are `name` or lie under it.
Result<ExitCode> explain(const std::string& name, OutputFormat format) {
  std::vector<ConfigKey> found;
  std::vector<std::string_view> known;
  for (const ConfigKey& key : config_keys()) {
    known.push_back(key.path);
    if (name.empty() || key.path == name || key.path.starts_with(name + ".")) found.push_back(key);
  }
  if (found.empty()) {
    const auto nearest = nearest_name(name, known);
    return fail(Errc::kNotFound,
                nearest.empty()
                    ? fmt::format("there is no key '{}'; 'penstock config keys' lists all", name)
                    : fmt::format("there is no key '{}'; did you mean '{}'?", name, nearest));
  }
  if (format == OutputFormat::kJson) {
    Json json = Json::array();
    for (const ConfigKey& key : found) json.push_back(key_json(key));
    print_json(json);
    return ExitCode::kOk;
  }
  for (const ConfigKey& key : found) fmt::print("{}", key_text(key));
  return ExitCode::kOk;
}

Result<ExitCode> print_keys() {
  for (const ConfigKey& key : config_keys()) fmt::print("{}\n", key.path);
  return ExitCode::kOk;
}

}  // namespace

void add_config(CLI::App& program, CommandLine& line) {
  struct Options {
    std::string file;
    std::string key;
    OutputFormat format = OutputFormat::kTable;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* noun = program.add_subcommand("config", "Checks and explains configurations");
  noun->fallthrough();
  noun->require_subcommand(1);

  CLI::App* check_it =
      noun->add_subcommand("check", "Every problem of a configuration, with remedy");
  check_it->fallthrough();
  check_it->add_option("file", options->file, "configuration; otherwise that of --config")
      ->type_name("FILE");
  add_format(*check_it, options->format);
  check_it->callback([&line, options] {
    line.run = [&line, options] {
      return check(options->file.empty() ? line.config_path : options->file, options->format);
    };
  });

  CLI::App* explain_it = noun->add_subcommand("explain", "What a key means, its type and default");
  explain_it->fallthrough();
  explain_it->add_option("key", options->key, "such as port.device, or port; otherwise all")
      ->type_name("KEY");
  add_format(*explain_it, options->format);
  explain_it->callback([&line, options] {
    line.run = [options] { return explain(options->key, options->format); };
  });

  CLI::App* keys = noun->add_subcommand("keys", "The names of all keys, one a line");
  keys->fallthrough();
  keys->callback([&line] { line.run = print_keys; });
}

}  // namespace penstock
