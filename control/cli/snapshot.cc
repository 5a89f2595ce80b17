#include "control/cli/snapshot.h"

#include <fmt/format.h>

#include "control/cli/table.h"
#include "control/config/node_files.h"

namespace penstock {

void add_ledger_place(CLI::App& command, LedgerPlace& place) {
  command.add_option("--ledger", place.path, "ledger file; otherwise the configuration's node")
      ->type_name("FILE");
}

Result<std::string> ledger_path_of(const CommandLine& line, const LedgerPlace& place) {
  if (!place.path.empty()) return place.path;
  auto config = config_of(line);
  if (!config) return std::unexpected(std::move(config.error()));
  return ledger_path(config->node);
}

Result<LedgerSnapshot> take_snapshot(const CommandLine& line, const LedgerPlace& place) {
  const auto path = ledger_path_of(line, place);
  if (!path) return std::unexpected(path.error());
  return take_snapshot(*path);
}

Result<LedgerSnapshot> take_snapshot(const std::string& path) {
  const auto reader = LedgerReader::open(path);
  if (!reader) {
    if (reader.error().code != Errc::kNotFound) return std::unexpected(reader.error());
    return fail(Errc::kUnavailable,
                fmt::format("{}; no node has run with this configuration, or as another user",
                            reader.error().what));
  }
  return reader->snapshot();
}

std::string state_of(const LedgerSnapshot& snapshot) {
  if (snapshot.alive) {
    return fmt::format("running as process {} since {}", snapshot.pid,
                       rfc3339(snapshot.started.value));
  }
  return snapshot.ended ? "ended in order"
                        : "gone without an orderly end: these are its last books";
}

}  // namespace penstock
