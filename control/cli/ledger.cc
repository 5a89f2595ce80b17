// `penstock ledger`: whether the books balance, and what became of every packet and message.
#include <fmt/format.h>

#include "control/cli/books_json.h"
#include "control/cli/command.h"
#include "control/cli/snapshot.h"
#include "control/cli/table.h"

namespace penstock {
namespace {

// Of all fates of one class.
template <std::size_t N>
std::uint64_t sum_of(const std::array<Tally, N>& fates, const std::array<FateInfo, N>& infos,
                     FateClass of) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < N; ++i) sum += infos[i].of == of ? fates[i].count : 0;
  return sum;
}

std::string port_table(const Books& books) {
  Table table(
      {"PORT", "RECEIVED", "DECODED", "ANSWERED", "IGNORED", "MALFORMED", "HELD", "MISSED"});
  for (const PortBooks& port : books.ports) {
    const auto of = [&](FateClass c) {
      return grouped(sum_of(port.account.fates, kPacketFateInfo, c));
    };
    table.add({port.name, grouped(port.account.received.count), of(FateClass::kGood),
               of(FateClass::kAnswered), of(FateClass::kIgnored), of(FateClass::kMalformed),
               grouped(port.account.held.count),
               grouped(port.device.missed + port.device.no_buffer + port.device.errors)});
  }
  return table.text();
}

std::string frame_table(const Books& books) {
  if (books.frames.empty()) return "";
  Table table({"PDP", "SESSIONS", "FRAMES", "TAKEN", "ANSWERED", "IGNORED", "MALFORMED", "HELD",
               "LOST MESSAGES"});
  for (const FrameBooks& door : books.frames) {
    const FrameAccount& account = door.account;
    const auto of = [&](FateClass c) { return grouped(sum_of(account.fates, kFrameFateInfo, c)); };
    table.add({door.name, grouped(account.sessions), grouped(account.received.count),
               of(FateClass::kGood), of(FateClass::kAnswered), of(FateClass::kIgnored),
               of(FateClass::kMalformed), grouped(account.held.count),
               grouped(account.lost.count)});
  }
  return table.text() + '\n';
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
  const auto add = [&](const FateInfo& fate, std::uint64_t count) {
    if (fate.of == FateClass::kGood || fate.of == FateClass::kAnswered || count == 0) return;
    table.add({std::string(fate.name), grouped(count), std::string(fate.help)});
  };
  for (std::size_t i = 0; i < kPacketFates; ++i) {
    std::uint64_t count = 0;
    for (const PortBooks& port : books.ports) count += port.account.fates[i].count;
    add(kPacketFateInfo[i], count);
  }
  for (std::size_t i = 0; i < kFrameFates; ++i) {
    std::uint64_t count = 0;
    for (const FrameBooks& door : books.frames) count += door.account.fates[i].count;
    add(kFrameFateInfo[i], count);
  }
  for (std::size_t i = 0; i < kMessageFates; ++i) {
    add(kMessageFateInfo[i], books.total.fates[i].count);
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
    fmt::print("Node {}, {}\n\n{}\n{}{}\n{}\n{}\n{}{}", snapshot->node, state_of(*snapshot),
               port_table(books), frame_table(books), message_table("DOOR", books.doors),
               message_table("STREAM", books.streams), message_table("SHARD", books.shards),
               cause_table(books), verdict(books));
  }
  return books.balanced() ? ExitCode::kOk : ExitCode::kFailed;
}

Result<ExitCode> print_names() {
  for (const FateInfo& fate : kPacketFateInfo) fmt::print("{}\n", fate.name);
  for (const FateInfo& fate : kFrameFateInfo) fmt::print("{}\n", fate.name);
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
