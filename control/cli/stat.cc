// `penstock stat`: rates between two looks at the ledger.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <ctime>

#include <fmt/format.h>

#include "base/clock.h"
#include "control/cli/books_json.h"
#include "control/cli/command.h"
#include "control/cli/snapshot.h"
#include "control/cli/table.h"
#include "control/config/value.h"

namespace penstock {
namespace {

volatile std::sig_atomic_t stop = 0;

struct Look {
  LedgerSnapshot snapshot;
  Books books;
  MonotonicNanos at;
};

struct StatOptions {
  LedgerPlace place;
  OutputFormat format = OutputFormat::kTable;
  std::string interval = "1s";
  bool watch = false;
};

Result<Look> look(const CommandLine& line, const StatOptions& options) {
  auto snapshot = take_snapshot(line, options.place);
  if (!snapshot) return std::unexpected(std::move(snapshot.error()));
  SystemClock clock;
  Books books = take_books(*snapshot);
  return Look{std::move(*snapshot), std::move(books), clock.monotonic_now()};
}

// What happened between two looks, by second.
class Rates {
 public:
  Rates(const Look& before, const Look& after)
      : before_(before), after_(after), seconds_(static_cast<double>(after.at - before.at) / 1e9) {}

  [[nodiscard]] double of(std::uint64_t before, std::uint64_t after) const {
    return static_cast<double>(after - before) / seconds_;
  }

  [[nodiscard]] Json port(std::size_t i) const {
    const PortBooks& now = after_.books.ports[i];
    const PortBooks& then = before_.books.ports[i];
    const auto missed = [](const DeviceGauges& d) { return d.missed + d.no_buffer + d.errors; };
    return {
        {"name", now.name},
        {"packets", of(then.account.received.count, now.account.received.count)},
        {"bytes", of(then.account.received.bytes, now.account.received.bytes)},
        {"missed", of(missed(then.device), missed(now.device))}
    };
  }

  [[nodiscard]] Json messages(const MessageBooks& then, const MessageBooks& now) const {
    MessageAccount a = then.account;
    MessageAccount b = now.account;
    const Tally& stored_then = a[MessageFate::kStored];
    const Tally& stored_now = b[MessageFate::kStored];
    return {
        {"name", now.name},
        {"offered", of(a.offered.count, b.offered.count)},
        {"stored", of(stored_then.count, stored_now.count)},
        {"stored_bytes", of(stored_then.bytes, stored_now.bytes)},
        {"dropped", of(dropped(a).count, dropped(b).count)},
        {"in_flight", b.in_flight.count}
    };
  }

  [[nodiscard]] Json gauges(const AccountSnapshot& then, const AccountSnapshot& now) const {
    const auto a = then.as<ShardGauges>();
    const auto b = now.as<ShardGauges>();
    const double busy =
        b.tsc_hz == 0 ? 0 : of(a.busy_cycles, b.busy_cycles) / static_cast<double>(b.tsc_hz);
    return {
        {"shard", now.shard},
        {"loops", of(a.loops, b.loops)},
        {"busy_share", busy},
        {"written_bytes", of(a.bytes_written, b.bytes_written)},
        {"blocks", b.blocks},
        {"blocks_free", b.blocks_free}
    };
  }

  [[nodiscard]] Json all() const {
    Json json = {
        {"node",     after_.snapshot.node   },
        {"alive",    after_.snapshot.alive  },
        {"seconds",  seconds_               },
        {"balanced", after_.books.balanced()}
    };
    json["ports"] = Json::array();
    for (std::size_t i = 0; i < after_.books.ports.size(); ++i) json["ports"].push_back(port(i));
    const auto add = [&](const std::string& name, const std::vector<MessageBooks> Books::* list) {
      json[name] = Json::array();
      for (std::size_t i = 0; i < (after_.books.*list).size(); ++i) {
        json[name].push_back(messages((before_.books.*list)[i], (after_.books.*list)[i]));
      }
    };
    add("doors", &Books::doors);
    add("streams", &Books::streams);
    add("shards", &Books::shards);
    json["gauges"] = Json::array();
    for (std::size_t i = 0; i < after_.snapshot.accounts.size(); ++i) {
      if (after_.snapshot.accounts[i].kind != AccountKind::kShardGauges) continue;
      json["gauges"].push_back(gauges(before_.snapshot.accounts[i], after_.snapshot.accounts[i]));
    }
    return json;
  }

 private:
  const Look& before_;
  const Look& after_;
  double seconds_;
};

std::string whole(const Json& rate) {
  return grouped(static_cast<std::uint64_t>(std::llround(rate.get<double>())));
}

std::string table_of(const Json& rates) {
  std::string text;
  Table ports({"PORT", "PACKETS/S", "BYTES/S", "MISSED/S"});
  for (const Json& port : rates["ports"]) {
    ports.add(
        {port["name"], whole(port["packets"]), short_bytes(port["bytes"]), whole(port["missed"])});
  }
  text += ports.text() + '\n';
  const auto add = [&](const char* head, const char* list) {
    Table table({head, "OFFERED/S", "STORED/S", "STORED BYTES/S", "DROPPED/S", "IN FLIGHT"});
    for (const Json& entry : rates[list]) {
      table.add({entry["name"], whole(entry["offered"]), whole(entry["stored"]),
                 short_bytes(entry["stored_bytes"]), whole(entry["dropped"]),
                 grouped(entry["in_flight"].get<std::uint64_t>())});
    }
    text += table.text() + '\n';
  };
  add("DOOR", "doors");
  add("STREAM", "streams");
  add("SHARD", "shards");
  Table gauges({"SHARD", "LOOPS/S", "BUSY", "WRITTEN/S", "BLOCKS FREE"});
  for (const Json& shard : rates["gauges"]) {
    gauges.add({fmt::format("{}", shard["shard"].get<unsigned>()), whole(shard["loops"]),
                fmt::format("{:.0f} %", 100 * shard["busy_share"].get<double>()),
                short_bytes(shard["written_bytes"]),
                fmt::format("{} of {}", shard["blocks_free"].get<std::uint64_t>(),
                            shard["blocks"].get<std::uint64_t>())});
  }
  return text + gauges.text();
}

// A node that was started anew counts from zero, perhaps by another configuration: nothing to
// compare with.
bool same_accounts(const LedgerSnapshot& a, const LedgerSnapshot& b) {
  const auto same = [](const AccountSnapshot& x, const AccountSnapshot& y) {
    return x.kind == y.kind && x.shard == y.shard && x.name == y.name;
  };
  return a.started == b.started && std::ranges::equal(a.accounts, b.accounts, same);
}

void sleep_for(std::int64_t nanos) {
  const timespec time{.tv_sec = nanos / kNanosPerSecond,
                      .tv_nsec = static_cast<long>(nanos % kNanosPerSecond)};
  nanosleep(&time, nullptr);
}

Result<ExitCode> show_stat(const CommandLine& line, const StatOptions& options) {
  const auto interval = parse_duration(options.interval);
  if (!interval || *interval <= 0) {
    return fail(Errc::kInvalidArgument,
                fmt::format("--interval '{}' is no duration like \"1s\"", options.interval));
  }
  auto before = look(line, options);
  if (!before) return std::unexpected(std::move(before.error()));
  std::signal(SIGINT, [](int) { stop = 1; });
  // Home and clear before each table; a file or a pipe gets the tables alone.
  const bool stands_still = options.watch && isatty(STDOUT_FILENO) != 0;
  do {
    sleep_for(*interval);
    auto after = look(line, options);
    if (!after) return std::unexpected(std::move(after.error()));
    if (same_accounts(before->snapshot, after->snapshot)) {
      const Json rates = Rates(*before, *after).all();
      if (options.format == OutputFormat::kJson) {
        fmt::print("{}\n", text_of(rates));
      } else {
        fmt::print("{}Node {}, {}\n\n{}", stands_still ? "\x1b[H\x1b[J" : "", after->snapshot.node,
                   state_of(after->snapshot), table_of(rates));
      }
      std::fflush(stdout);
    }
    before = std::move(after);
  } while (options.watch && stop == 0);
  return ExitCode::kOk;
}

}  // namespace

void add_stat(CLI::App& program, CommandLine& line) {
  const auto options = std::make_shared<StatOptions>();
  CLI::App* command = program.add_subcommand("stat", "Rates of ports, doors, streams and shards");
  command->fallthrough();
  add_ledger_place(*command, options->place);
  add_format(*command, options->format);
  command->add_option("--interval", options->interval, "time between two looks")
      ->type_name("TIME")
      ->capture_default_str();
  command->add_flag("--watch", options->watch, "go on until interrupted");
  command->callback(
      [&line, options] { line.run = [&line, options] { return show_stat(line, *options); }; });
}

}  // namespace penstock
