// `penstock verify`: the offline check of volumes.
#include "storage/recover/verify.h"

#include <fmt/format.h>

#include "control/cli/books_json.h"
#include "control/cli/command.h"
#include "control/cli/table.h"

namespace penstock {
namespace {

struct VerifyOptions {
  std::vector<std::string> volumes;
  OutputFormat format = OutputFormat::kTable;
};

struct Verified {
  std::string path;
  Result<VerifyReport> report;  // an error: not checked

  [[nodiscard]] bool clean() const {
    return report && std::ranges::none_of(report->findings, is_damage);
  }
};

Json totals_json(const VerifyTotals& totals) {
  return {
      {"segments",         totals.segments        },
      {"closed",           totals.closed          },
      {"open",             totals.open            },
      {"blocks",           totals.blocks          },
      {"messages",         totals.messages        },
      {"payload_bytes",    totals.payload_bytes   },
      {"bytes_checked",    totals.bytes_checked   },
      {"unused_bytes",     totals.unused_bytes    },
      {"unreadable_bytes", totals.unreadable_bytes}
  };
}

Json volume_json(const Verified& verified) {
  Json json = {
      {"volume", verified.path   },
      {"clean",  verified.clean()}
  };
  if (!verified.report) {
    json["error"] = verified.report.error().what;
    return json;
  }
  const VerifyReport& report = *verified.report;
  json["slots"] = report.slots;
  json["free_slots"] = report.free_slots;
  json["total"] = totals_json(report.total);
  json["logs"] = Json::array();
  for (const auto& [number, totals] : report.logs) {
    Json log = {
        {"log", number.value}
    };
    log.update(totals_json(totals));
    json["logs"].push_back(std::move(log));
  }
  json["findings"] = Json::array();
  for (const Finding& finding : report.findings) {
    json["findings"].push_back({
        {"kind",   to_string(finding.kind)},
        {"damage", is_damage(finding)     },
        {"slot",   finding.slot.value     },
        {"offset", finding.offset         },
        {"bytes",  finding.bytes          },
        {"what",   finding.what           }
    });
  }
  return json;
}

std::string volume_text(const Verified& verified) {
  if (!verified.report) {
    return fmt::format("{}: NOT CHECKED: {}\n", verified.path, verified.report.error().what);
  }
  const VerifyReport& report = *verified.report;
  std::string text = fmt::format(
      "{}: {} slots, {} free; {} segments ({} closed, {} open), {} blocks, {} messages, {} of "
      "payload; {} bytes checked, {} unused, {} unreadable\n",
      verified.path, report.slots, report.free_slots, report.total.segments, report.total.closed,
      report.total.open, grouped(report.total.blocks), grouped(report.total.messages),
      short_bytes(static_cast<double>(report.total.payload_bytes)),
      grouped(report.total.bytes_checked), grouped(report.total.unused_bytes),
      grouped(report.total.unreadable_bytes));
  Table table({"FINDING", "SLOT", "OFFSET", "BYTES", "WHAT"});
  for (const Finding& finding : report.findings) {
    table.add({std::string(to_string(finding.kind)), fmt::format("{}", finding.slot),
               fmt::format("{}", finding.offset), fmt::format("{}", finding.bytes), finding.what});
  }
  if (!table.empty()) text += table.text();
  return text + (verified.clean() ? "No damage found.\n" : "DAMAGED.\n");
}

Result<VerifyReport> verify_one(const std::string& path) {
  auto device = open_volume_device(path, DeviceAccess::kReadOnly);
  if (!device) return std::unexpected(std::move(device.error()));
  // A node that writes would make the check find what is only half written.
  if (auto locked = (*device)->lock(); !locked) {
    return fail(locked.error().code,
                locked.error().what + "; verify works on volumes that nobody writes");
  }
  auto report = verify_volume(**device);
  if (!report) return fail(report.error().code, fmt::format("{}: {}", path, report.error().what));
  return report;
}

ExitCode code_of(const Verified& verified) {
  if (verified.report) return verified.clean() ? ExitCode::kOk : ExitCode::kFailed;
  const ExitCode code = exit_code_of(verified.report.error().code);
  return code == ExitCode::kDenied || code == ExitCode::kUsage ? code : ExitCode::kNotChecked;
}

Result<ExitCode> verify(const CommandLine& line, const VerifyOptions& options) {
  std::vector<std::string> paths = options.volumes;
  if (paths.empty()) {
    auto config = config_of(line);
    if (!config) return std::unexpected(std::move(config.error()));
    for (const VolumeConfig& volume : config->volumes) {
      if (volume.kind == VolumeKind::kStored) paths.push_back(volume.path);
    }
  }
  ExitCode code = ExitCode::kOk;
  Json volumes = Json::array();
  for (const std::string& path : paths) {
    const Verified verified{path, verify_one(path)};
    // Damage counts most: what was not checked can be checked again.
    const ExitCode one = code_of(verified);
    if (one == ExitCode::kFailed || code == ExitCode::kOk) code = one;
    if (!verified.report) fmt::print(stderr, "penstock: {}\n", verified.report.error().what);
    if (options.format == OutputFormat::kJson) {
      volumes.push_back(volume_json(verified));
    } else {
      fmt::print("{}", volume_text(verified));
    }
  }
  if (options.format == OutputFormat::kJson) {
    print_json({
        {"clean",   code == ExitCode::kOk},
        {"volumes", volumes              }
    });
  }
  return code;
}

}  // namespace

void add_verify(CLI::App& program, CommandLine& line) {
  const auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = program.add_subcommand(
      "verify", "Checks every byte of volumes that no node is writing, and locates all damage");
  command->fallthrough();
  command
      ->add_option("volume", options->volumes, "directories or devices; otherwise all configured")
      ->type_name("VOLUME");
  add_format(*command, options->format);
  command->callback(
      [&line, options] { line.run = [&line, options] { return verify(line, *options); }; });
}

}  // namespace penstock
