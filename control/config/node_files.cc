#include "control/config/node_files.h"

namespace penstock {

std::string ledger_path(const NodeConfig& node) { return node.runtime_dir + "/ledger"; }
std::string lock_path(const NodeConfig& node) { return node.runtime_dir + "/lock"; }

}  // namespace penstock
