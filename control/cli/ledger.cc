// `penstock ledger`: whether the books balance, and what became of every packet and message.
#include <fmt/format.h>

#include "control/cli/books_json.h"
#include "control/cli/command.h"
#include "control/cli/snapshot.h"
#include "control/cli/table.h"

namespace penstock {
namespace {

std::string port_table(const Books& books) {
  Table table(
      {"PORT", "RECEIVED", "DECODED", "ANSWERED", "IGNORED", "MALFORMED", "HELD", "MISSED"});
  for (const PortBooks& port : books.ports) {
    std::array<std::uint64_t, 5> by_class{};
    for (std::size_t i = 0; i < kPacketFates; ++i) {
      by_class[static_cast<std::size_t>(kPacketFateInfo[i].of)] += port.account.fates[i].count;
    }
    const auto of = [&](FateClass c) { return grouped(by_class[static_cast<std::size_t>(c)]); };
    table.add({port.name, grouped(port.account.received.count), of(FateClass::kGood),
               of(FateClass::kAnswered), of(FateClass::kIgnored), of(FateClass::kMalformed),
               grouped(port.account.held.count),
               grouped(port.device.missed + port.device.no_buffer + port.device.errors)});
  }
  return table.text();
}

std::string message_table(std::string_view kind, const std::vector<MessageBooks>& all) {
  Table table({std::string(kind), "OFFERED", "STORED", "DROPPED", "IN FLIGHT", "BYTES STORED",
               "MALFORMED"});
  for (const MessageBooks& books : all) {
    MessageAccount account = books.account;
    table.add({books.name, grouped(account.offered.count),
               grouped(account[MessageFate::kStored].count), grouped(dropped(account).count),
               grouped(account.in_flight.count), grouped(account[MessageFate::kStored].bytes),
               grouped(account.malformed.count)});
  }
  return table.text();
}

// Every cause that occurred, with what it means and what to do.
std::string cause_table(const Books& books) {
  Table table({"CAUSE", "COUNT", "MEANING"});
  for (std::size_t i = 0; i < kPacketFates; ++i) {
    if (kPacketFateInfo[i].of == FateClass::kGood ||
        kPacketFateInfo[i].of == FateClass::kAnswered) {
      continue;
    }
    std::uint64_t count = 0;
    for (const PortBooks& port : books.ports) count += port.account.fates[i].count;
    if (count > 0) {
      table.add({std::string(kPacketFateInfo[i].name), grouped(count),
                 std::string(kPacketFateInfo[i].help)});
    }
  }
  for (std::size_t i = 0; i < kMessageFates; ++i) {
    const std::uint64_t count = books.total.fates[i].count;
    if (kMessageFateInfo[i].of == FateClass::kDropped && count > 0) {
      table.add({std::string(kMessageFateInfo[i].name), grouped(count),
                 std::string(kMessageFateInfo[i].help)});
    }
  }
  return table.empty() ? "" : table.text() + '\n';
}

std::string verdict(const Books& books) {
  if (books.balanced()) return "The books balance.\n";
  std::string text = "The books do NOT balance:\n";
  for (const Imbalance& imbalance : books.imbalances) {
    text += fmt::format("  {}: {}: {} against {}\n", imbalance.account, imbalance.law,
                        imbalance.left, imbalance.right);
  }
  return text;
}

Result<ExitCode> show_ledger(const CommandLine& line, const LedgerPlace& place,
                             OutputFormat format) {
  auto snapshot = take_snapshot(line, place);
  if (!snapshot) return std::unexpected(std::move(snapshot.error()));
  const Books books = take_books(*snapshot);
  if (format == OutputFormat::kJson) {
    print_json(to_json(*snapshot, books));
  } else {
    fmt::print("Node {}, {}\n\n{}\n{}\n{}\n{}\n{}{}", snapshot->node, state_of(*snapshot),
               port_table(books), message_table("DOOR", books.doors),
               message_table("STREAM", books.streams), message_table("SHARD", books.shards),
               cause_table(books), verdict(books));
  }
  return books.balanced() ? ExitCode::kOk : ExitCode::kFailed;
}

Result<ExitCode> print_names() {
  for (const FateInfo& fate : kPacketFateInfo) fmt::print("{}\n", fate.name);
  for (const FateInfo& fate : kMessageFateInfo) fmt::print("{}\n", fate.name);
  for (const auto fields :
       {shard_gauge_fields(), log_edge_fields(), device_gauge_fields(), volume_gauge_fields()}) {
    for (const FieldInfo& field : fields) fmt::print("{}\n", field.name);
  }
  return ExitCode::kOk;
}

}  // namespace

void add_ledger(CLI::App& program, CommandLine& line) {
  struct Options {
    LedgerPlace place;
    OutputFormat format = OutputFormat::kTable;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(
      "ledger", "What became of every packet and message, and whether the books balance");
  command->fallthrough();
  add_ledger_place(*command, options->place);
  add_format(*command, options->format);
  CLI::App* names =
      command->add_subcommand("names", "The names of all causes and gauges, one a line");
  names->callback([&line] { line.run = print_names; });
  command->callback([&line, options, names] {
    if (names->parsed()) return;
    line.run = [&line, options] { return show_ledger(line, options->place, options->format); };
  });
}

}  // namespace penstock
