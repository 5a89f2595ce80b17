// Reading the ledger of a node, running or ended.
#pragma once

#include "control/cli/command.h"
#include "dataplane/ledger/ledger_file.h"

namespace penstock {

// Where the ledger is: a file, or where the configuration has it.
struct LedgerPlace {
  std::string path;
};
void add_ledger_place(CLI::App& command, LedgerPlace& place);

[[nodiscard]] Result<std::string> ledger_path_of(const CommandLine& line, const LedgerPlace& place);
[[nodiscard]] Result<LedgerSnapshot> take_snapshot(const CommandLine& line,
                                                   const LedgerPlace& place);
[[nodiscard]] Result<LedgerSnapshot> take_snapshot(const std::string& path);

// "running as 4711 since ...", "ended in order", "gone without an orderly end".
[[nodiscard]] std::string state_of(const LedgerSnapshot& snapshot);

}  // namespace penstock
