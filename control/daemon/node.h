// A running node: everything that one configuration declares, put together and taken apart in
// order.
#pragma once

#include <csignal>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "control/config/config.h"
#include "control/daemon/live_streams.h"
#include "control/daemon/placement.h"
#include "control/daemon/shard_thread.h"
#include "control/daemon/volumes.h"
#include "dataplane/ledger/file_lock.h"
#include "dataplane/ledger/ledger_file.h"
#include "dataplane/port/eal.h"
#include "dataplane/port/port.h"

namespace penstock {

// Used by the control thread. The shards' threads see only their ShardThread.
class Node {
 public:
  explicit Node(Config config) : config_(std::move(config)) {}
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Opens volumes, ports and ledger and starts the shards; ready for packets when it returns.
  // `stop` turning true makes it give up early.
  [[nodiscard]] Result<> start(const volatile std::sig_atomic_t& stop);

  // Looks after volumes and gauges until one of them turns true.
  void run(const volatile std::sig_atomic_t& stop, const volatile std::sig_atomic_t& reload);

  // Streams become those of this configuration, which was checked, while messages come; run() says
  // when they are. The sections that differ otherwise: they need a restart, and stay as they were.
  // An error: the node works as it did; of several volumes some may know names that none uses.
  [[nodiscard]] Result<std::vector<std::string>> apply(const Config& wanted);

  // Stops taking packets, seals, flushes. False when a drive did not let the last messages become
  // durable in time: the ledger then shows them in flight.
  [[nodiscard]] bool drain();

 private:
  Result<> take_runtime_dir();
  Result<> open_all_volumes();
  Result<> start_dpdk(const Placement& placement);
  Result<> start_ports();
  Result<> create_ledger();
  Result<> prepare_pdp();
  void prepare_first_segments(const volatile std::sig_atomic_t& stop);
  Result<> start_shards(const Placement& placement);
  Result<ShardPlan> plan_of(unsigned shard, const Placement& placement);
  Result<FrameOptions> frame_of(std::size_t port) const;
  [[nodiscard]] std::vector<std::size_t> ports_of(unsigned shard) const;
  [[nodiscard]] RunningVolume& volume_of(unsigned shard);
  Result<> name_streams(std::span<const StreamConfig> streams);
  bool step_keepers();
  void report_volumes();
  void publish_gauges();

  Config config_;
  FileLock lock_;  // of node.runtime_dir
  SystemClock clock_;
  std::vector<RunningVolume> volumes_;
  EalFacts eal_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::unique_ptr<LedgerFile> ledger_;
  std::unique_ptr<Handover> handover_;
  std::unique_ptr<LiveStreams> streams_;
  PdpPlan pdp_;
  std::vector<std::unique_ptr<ShardThread>> shards_;
  std::vector<std::string> reported_;  // of each volume: what was last said about it
  MonotonicNanos publish_at_{0};
};

}  // namespace penstock
