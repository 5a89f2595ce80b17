// `penstock segment`: what a volume's segments are and hold.
#include <limits>

#include <fmt/format.h>

#include "control/cli/books_json.h"
#include "control/cli/command.h"
#include "control/cli/sources.h"
#include "control/cli/table.h"
#include "storage/recover/segment_scan.h"

namespace penstock {
namespace {

struct SegmentOptions {
  std::vector<std::string> volumes;
  std::uint32_t slot = 0;
  OutputFormat format = OutputFormat::kTable;
};

Json segment_json(const Source& source, const KeptSegment& segment) {
  const SegmentHeader& header = segment.header;
  Json json = {
      {"volume", source.name},
      {"log", header.log},
      {"segment", header.sequence},
      {"slot", header.slot},
      {"closed", segment.closed},
      {"generation", fmt::format("{:016x}", header.generation)},
      {"first_block", header.base_sequence},
      {"created", rfc3339(header.created_ns)}
  };
  if (segment.closed) {
    const SegmentFooter& footer = segment.footer;
    json["blocks"] = footer.block_count;
    json["messages"] = footer.message_count;
    json["payload_bytes"] = footer.payload_bytes;
    json["first_received"] = rfc3339(footer.first_received_ns);
    json["last_received"] = rfc3339(footer.last_received_ns);
  }
  return json;
}

Result<ExitCode> list(const CommandLine& line, const SegmentOptions& options) {
  auto sources = open_sources(line, options.volumes);
  if (!sources) return std::unexpected(std::move(sources.error()));
  Json all = Json::array();
  for (const Source& source : *sources) {
    for (const auto& [number, log] : source.recovered.logs) {
      for (const KeptSegment& segment : log.segments) all.push_back(segment_json(source, segment));
    }
  }
  if (options.format == OutputFormat::kJson) {
    print_json(all);
    return ExitCode::kOk;
  }
  Table table({"VOLUME", "LOG", "SEGMENT", "SLOT", "STATE", "BLOCKS", "MESSAGES", "PAYLOAD",
               "FIRST RECEIVED", "LAST RECEIVED"});
  for (const Json& segment : all) {
    const bool closed = segment["closed"];
    const auto number = [&](const char* key) {
      return closed ? grouped(segment[key].get<std::uint64_t>()) : std::string{};
    };
    const auto text = [&](const char* key) {
      return closed ? segment[key].get<std::string>() : std::string{};
    };
    table.add({segment["volume"], fmt::format("{}", segment["log"].get<unsigned>()),
               fmt::format("{}", segment["segment"].get<std::uint64_t>()),
               fmt::format("{}", segment["slot"].get<unsigned>()), closed ? "closed" : "open",
               number("blocks"), number("messages"), number("payload_bytes"),
               text("first_received"), text("last_received")});
  }
  fmt::print("{}", table.text());
  return ExitCode::kOk;
}

Json block_json(const SegmentScan::Found& found) {
  const BlockHeader& header = found.header;
  Json json = {
      {"position", found.position},
      {"sequence", header.sequence},
      {"length", header.length},
      {"used", header.used},
      {"runs", header.run_count},
      {"messages", header.message_count},
      {"crc", fmt::format("{:08x}", header.crc)},
      {"previous_crc", fmt::format("{:08x}", header.previous_crc)},
      {"durable_sequence", header.durable_sequence}
  };
  Json streams = Json::array();
  Json producers = Json::array();
  BlockReader reader(found.bytes);
  for (auto bytes = reader.next_run(); !bytes.empty(); bytes = reader.next_run()) {
    const RunReader run(bytes);
    if (const auto& producer = run.producer()) {
      producers.push_back({
          {"session", fmt::format("{:016x}", producer->session)},
          {"sequence", producer->sequence},
          {"messages", run.header().message_count}
      });
    }
    for (std::size_t i = 0; i < run.header().capture_count; ++i) {
      streams.push_back({
          {"stream", fmt::format("{:016x}", run.capture(i).stream)},
          {"first_offset", run.capture(i).base_offset},
          {"messages", run.header().message_count}
      });
    }
  }
  json["captures"] = std::move(streams);
  if (!producers.empty()) json["producers"] = std::move(producers);
  return json;
}

// The blocks of a segment up to the first that is none, and why it is none.
Result<Json> blocks_of(VolumeDevice& device, const SegmentHeader& header) {
  SegmentScan scan(device, header);
  Json blocks = Json::array();
  while (!scan.at_end()) {
    auto found = scan.here();
    if (!found) return std::unexpected(std::move(found.error()));
    if (!*found) break;
    blocks.push_back(block_json(**found));
    scan.step_over(**found);
  }
  return Json{
      {"blocks",       blocks                                                        },
      {"end_position", scan.position()                                               },
      {"end",          scan.at_end() ? "end of the segment" : to_string(scan.fault())}
  };
}

Result<ExitCode> dump(const CommandLine& line, const SegmentOptions& options) {
  auto sources = open_sources(line, options.volumes);
  if (!sources) return std::unexpected(std::move(sources.error()));
  for (const Source& source : *sources) {
    for (const auto& [number, log] : source.recovered.logs) {
      for (const KeptSegment& segment : log.segments) {
        if (segment.header.slot != options.slot) continue;
        Json json = segment_json(source, segment);
        auto blocks = blocks_of(source.volume->device(), segment.header);
        if (!blocks) return std::unexpected(std::move(blocks.error()));
        json.update(*blocks);
        if (options.format == OutputFormat::kJson) {
          print_json(json);
          return ExitCode::kOk;
        }
        Table table({"POSITION", "SEQUENCE", "LENGTH", "USED", "RUNS", "MESSAGES", "CRC"});
        for (const Json& block : json["blocks"]) {
          const auto field = [&](const char* key) {
            return fmt::format("{}", block[key].get<std::uint64_t>());
          };
          table.add({field("position"), field("sequence"), field("length"), field("used"),
                     field("runs"), field("messages"), block["crc"]});
        }
        fmt::print("Segment {} of log {} in slot {}, {}\n\n{}\nAt page {}: {}\n",
                   segment.header.sequence, segment.header.log, segment.header.slot,
                   segment.closed ? "closed" : "open", table.text(),
                   json["end_position"].get<std::uint32_t>(), json["end"].get<std::string>());
        return ExitCode::kOk;
      }
    }
  }
  return fail(Errc::kNotFound,
              fmt::format("slot {} holds no segment; 'penstock segment list' lists "
                          "those that do",
                          options.slot));
}

}  // namespace

void add_segment(CLI::App& program, CommandLine& line) {
  const auto options = std::make_shared<SegmentOptions>();
  CLI::App* noun = program.add_subcommand("segment", "The segments of volumes");
  noun->fallthrough();
  noun->require_subcommand(1);
  const auto add = [&](const char* verb, const char* what, auto run) {
    CLI::App* command = noun->add_subcommand(verb, what);
    command->fallthrough();
    command
        ->add_option("--volume", options->volumes, "directory or device; otherwise all configured")
        ->type_name("PATH");
    add_format(*command, options->format);
    command->callback([&line, options, run] {
      line.run = [&line, options, run] { return run(line, *options); };
    });
    return command;
  };
  add("list", "All segments, what they hold and of when", list);
  add("dump", "The blocks of one segment", dump)
      ->add_option("--slot", options->slot, "the slot that it lies in")
      ->check(CLI::Range(0U, std::numeric_limits<std::uint32_t>::max()).description(""))
      ->type_name("N")
      ->required();
}

}  // namespace penstock
