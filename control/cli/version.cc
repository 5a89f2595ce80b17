// `penstock version`.
#include "base/version.h"

#include <fmt/format.h>

#include "control/cli/books_json.h"
#include "control/cli/command.h"
#include "dataplane/port/eal.h"
#include "storage/format/format.h"

namespace penstock {

void add_version(CLI::App& program, CommandLine& line) {
  const auto format = std::make_shared<OutputFormat>(OutputFormat::kTable);
  CLI::App* command =
      program.add_subcommand("version", "The versions of Penstock, its format and its libraries");
  command->fallthrough();
  add_format(*command, *format);
  command->callback([&line, format] {
    line.run = [format]() -> Result<ExitCode> {
      if (*format == OutputFormat::kJson) {
        const Json json = {
            {"penstock", kVersion      },
            {"format",   kFormatVersion},
            {"dpdk",     dpdk_version()}
        };
        print_json(json);
      } else {
        fmt::print("penstock {}, format {}, {}\n", kVersion, kFormatVersion, dpdk_version());
      }
      return ExitCode::kOk;
    };
  });
}

}  // namespace penstock
