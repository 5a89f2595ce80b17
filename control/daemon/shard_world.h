// Everything that one shard is made of, put together from its configuration.
#pragma once

#include <memory>
#include <vector>

#include "base/rng.h"
#include "control/config/config.h"
#include "dataplane/door/pdp/node/options.h"
#include "dataplane/shard/block_memory.h"
#include "dataplane/shard/shard.h"
#include "storage/log/log_writer.h"

namespace penstock {

// The order of a shard's accounts in its ledger area:
// its ports, all doors, the shard, its gauges, its log's edge, and the frames of the door that
// speaks PDP, if there is one.
struct ShardAccounts {
  std::size_t ports;
  std::size_t doors;

  [[nodiscard]] std::size_t port(std::size_t i) const { return i; }
  [[nodiscard]] std::size_t door(std::size_t i) const { return ports + i; }
  [[nodiscard]] std::size_t shard() const { return ports + doors; }
  [[nodiscard]] std::size_t gauges() const { return shard() + 1; }
  [[nodiscard]] std::size_t edge() const { return shard() + 2; }
  [[nodiscard]] std::size_t frames() const { return shard() + 3; }
};

// What all shards of a node share of PDP.
struct PdpPlan {
  std::uint16_t shards = 1;
  std::uint64_t boot = 0;
  pdp::CookieSecret cookie_secret{};
  std::vector<pdp::NodeOptions::Port> ports;  // of the node, by number
  std::vector<unsigned> port_shards;          // one that polls each of them
  Handover* handover = nullptr;               // null where there is one shard only
  std::shared_ptr<const pdp::KeyRing> keys;
};

// What a shard needs to know; what it points to outlives the thread.
struct ShardPlan {
  unsigned number = 0;
  unsigned lcore = 0;  // DPDK's
  bool busy = false;   // never sleep
  std::int64_t coalesce_ns = 0;
  bool hugepages = false;
  VolumeConfig volume;
  VolumeId volume_id{};
  LogStart start;
  SegmentChannel* channel = nullptr;
  std::vector<DoorConfig> doors;
  const Routing* routing = nullptr;
  Mailbox* mailbox = nullptr;
  struct Queue {
    std::uint16_t port;  // its number
    PortQueue* queue;
    FrameOptions frame;
  };
  std::vector<Queue> queues;
  LedgerArea* area = nullptr;
  StreamBooks* stream_books = nullptr;
  PdpPlan pdp;
};

// Made, used and destroyed on the shard's own thread. The plan's pointers and the clock outlive it.
class ShardWorld {
 public:
  // Takes the plan's `start`. The error says what could not be had.
  [[nodiscard]] static Result<std::unique_ptr<ShardWorld>> make(ShardPlan& plan, Clock& clock);

  [[nodiscard]] ShardParts parts(const ShardPlan& plan, Clock& clock);
  [[nodiscard]] ShardGauges& gauges() { return area_.account<ShardGauges>(accounts_.gauges()); }

 private:
  ShardWorld(ShardPlan& plan, Clock& clock, BlockMemory memory, std::unique_ptr<IoRing> ring);
  [[nodiscard]] Result<> open_doors(const ShardPlan& plan);
  void open_pdp(const ShardPlan& plan, std::size_t door);
  [[nodiscard]] std::vector<MessageAccount*> door_accounts();
  [[nodiscard]] std::optional<CaptureSetId> add_set(std::span<const std::uint32_t> streams);

  // In the order in which they depend on each other.
  ShardAccounts accounts_;
  LedgerArea& area_;
  BlockMemory memory_;
  BlockPool pool_;
  std::unique_ptr<IoRing> ring_;
  Rng rng_;
  Intake intake_;
  LogWriter log_;
  StreamRouter router_;
  std::vector<std::unique_ptr<Door>> doors_;
  DoorMap map_;
  std::unique_ptr<PortOutbox> outbox_;
  std::unique_ptr<pdp::PdpNode> pdp_;
};

}  // namespace penstock
