// `penstock help`: the same texts as command line help and as manual page.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/version.h"
#include "control/cli/command.h"

namespace penstock {
namespace {

// Calls `visit(path, command)` for the program and every command below it, in order.
template <class Visit>
void walk(const CLI::App& command, const std::string& path, const Visit& visit) {
  visit(path, command);
  for (const CLI::App* below : command.get_subcommands({})) {
    walk(*below, path + " " + below->get_name(), visit);
  }
}

Result<ExitCode> help_for(const CLI::App& program, const std::vector<std::string>& words) {
  const CLI::App* command = &program;
  std::string path = program.get_name();
  for (const std::string& word : words) {
    const CLI::App* below = nullptr;
    for (const CLI::App* candidate : command->get_subcommands({})) {
      if (candidate->get_name() == word) below = candidate;
    }
    if (below == nullptr) {
      return fail(Errc::kNotFound, fmt::format("there is no command '{} {}'", path, word));
    }
    path += " " + word;
    command = below;
  }
  // Not help(): that follows what was parsed, which is the help command itself.
  fmt::print("{}", command->get_formatter()->make_help(command, path, CLI::AppFormatMode::Normal));
  return ExitCode::kOk;
}

// When the text of the manual last changed: a manual page without a date is not well-formed.
constexpr std::string_view kManualDate = "2026-11-23";

// Text for troff: a leading dot or quote and every backslash are escaped.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

void print_options(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_name() == "--help") continue;
    std::string name = option->get_name(false, true);
    for (std::size_t at = 0; (at = name.find(',', at)) != std::string::npos; at += 2) {
      name.replace(at, 1, ", ");
    }
    const std::string type = option->get_expected_max() == 0 || option->get_type_size() == 0
                                 ? ""
                                 : option->get_type_name();
    const std::string given = option->get_default_str();
    fmt::print(".TP\n\\fB{}\\fR{}{}\n{}{}\n", roff(name), type.empty() ? "" : " ", roff(type),
               roff(option->get_description()),
               given.empty() || type.empty() ? "" : roff(fmt::format(" (default: {})", given)));
  }
}

void print_command(const std::string& path, const CLI::App& command) {
  if (command.get_parent() == nullptr) return;
  fmt::print(".SS {}\n{}.\n", roff(path), roff(command.get_description()));
  print_options(command);
}

Result<ExitCode> print_manual(const CLI::App& program) {
  fmt::print(
      ".TH PENSTOCK 1 \"{}\" \"Penstock {}\" \"Penstock\"\n"
      ".SH NAME\npenstock \\- looks at, reads and checks a node and its volumes\n"
      ".SH SYNOPSIS\n\\fBpenstock\\fR [\\fB\\-\\-config\\fR FILE] NOUN [VERB] [OPTIONS]\n"
      ".SH OPTIONS\n",
      kManualDate, kVersion);
  print_options(program);
  fmt::print(".SH COMMANDS\n");
  walk(program, program.get_name(), print_command);
  fmt::print(
      ".SH EXIT STATUS\n"
      ".TP\n0\nall is well\n"
      ".TP\n1\nwhat was asked for failed, or what was checked is not as it should be: the books "
      "do\n"
      "not balance, a volume is damaged, messages are missing\n"
      ".TP\n2\nthe command line or the configuration is wrong\n"
      ".TP\n3\nthe thing named does not exist\n"
      ".TP\n4\nno node runs, or has run, here\n"
      ".TP\n5\nthis user may not\n"
      ".TP\n130\ninterrupted before it was done; \\fBread \\-\\-follow\\fR and \\fBstat "
      "\\-\\-watch\\fR end with 0\n"
      ".SH SEE ALSO\n\\fBpenstockd\\fR(8), \\fBpenstock\\-blast\\fR(1)\n");
  return ExitCode::kOk;
}

Result<ExitCode> list_commands(const CLI::App& program) {
  walk(program, program.get_name(), [](const std::string& path, const CLI::App& command) {
    if (command.get_parent() != nullptr) fmt::print("{}\n", path);
  });
  return ExitCode::kOk;
}

}  // namespace

void add_help(CLI::App& program, CommandLine& line) {
  struct Options {
    std::vector<std::string> words;
    bool all = false;
    bool manual = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("help", "What a command does and takes");
  command->fallthrough();
  command->add_option("command", options->words, "such as 'segment list'")->type_name("WORD");
  command->add_flag("--all", options->all, "only the names of all commands, one a line");
  command->add_flag("--man", options->manual, "everything as a manual page");
  command->callback([&line, &program, options] {
    line.run = [&program, options] {
      if (options->all) return list_commands(program);
      return options->manual ? print_manual(program) : help_for(program, options->words);
    };
  });
}

}  // namespace penstock
