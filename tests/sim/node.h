// A whole node in one thread: everything between a port's queue and a volume, on simulated parts.
#pragma once

#include "dataplane/port/port_sim.h"
#include "dataplane/shard/shard.h"
#include "storage/log/keeper.h"
#include "storage/recover/recovery.h"
#include "storage/ring/io_ring.h"
#include "tests/sim/judge.h"
#include "tests/sim/streams.h"

namespace penstock::sim {

inline constexpr std::uint16_t kPdpPort = 7373;

// A front door for producers.
struct PdpDoor {
  pdp::NodeOptions node;      // all but where it is
  pdp::Secrets::Seed seed{};  // of this life
  std::size_t remembered = 64;
};

struct NodeOptions {
  std::vector<StreamSpec> streams = usual_streams();
  std::uint64_t segment_bytes = 1 * kMiB;
  std::uint32_t block_bytes = 32 * 1024;
  std::size_t blocks = 8;
  unsigned queue_depth = 8;
  std::int64_t linger_ns = 500'000;
  std::int64_t coalesce_ns = 0;
  Durability durability = Durability::kSync;
  Retention retention;
  std::uint64_t capacity_bytes = 0;
  std::optional<PdpDoor> pdp;
  bool observed = true;  // tell the oracle what is reported durable
};

// What the node stands on; all of it outlives the node.
struct NodeGround {
  Clock& clock;
  Rng& rng;
  SimQueue& queue;
  Judge& oracle;
  std::string ledger_path;
};

class Node {
 public:
  // Makes the volume where there is none, recovers it where there is one. Fails when the drive
  // does.
  [[nodiscard]] static Result<std::unique_ptr<Node>> start(const NodeGround& ground,
                                                           const NodeOptions& options,
                                                           std::unique_ptr<VolumeDevice> device,
                                                           std::unique_ptr<IoRing> ring);

  void step_shard() { shard_->step(); }
  bool step_keeper();
  void take_rest() { shard_->take_rest(); }
  [[nodiscard]] bool step_drain() { return shard_->step_drain(); }
  void publish() { shard_->publish(); }

  // The books that another process would see balance, and agree with what was reported.
  void check_books();
  [[nodiscard]] Keeper& keeper() { return *keeper_; }
  [[nodiscard]] LogWriter& log() { return *log_; }
  [[nodiscard]] const FrameAccount& frames() { return account<FrameAccount>(frames_at()); }
  // As the shard keeps it; of a moment only after publish().
  [[nodiscard]] MessageAccount& total() { return account<MessageAccount>(shard_at()); }

 private:
  Node(const NodeGround& ground, const NodeOptions& options, std::unique_ptr<IoRing> ring);
  Result<> open_volume(std::unique_ptr<VolumeDevice> device);
  Result<> start_log();
  Result<> make_ledger();
  void make_doors();
  void make_pdp();
  void make_shard();
  void turn_streams();
  std::optional<CaptureSetId> add_set(std::span<const std::uint32_t> streams);
  [[nodiscard]] std::size_t doors() const;
  [[nodiscard]] std::size_t shard_at() const;
  [[nodiscard]] std::size_t frames_at() const { return shard_at() + 3; }
  template <class T>
  T& account(std::size_t i) {
    return ledger_->area(1).account<T>(i);
  }

  // Hands on to the intake what the oracle has seen.
  class Observer final : public LogObserver {
   public:
    Observer(Judge* oracle, const Node& node, Intake& intake)
        : oracle_(oracle), node_(node), intake_(intake) {}
    void on_durable(const Block& block) override {
      if (oracle_ != nullptr) oracle_->reported(block, node_.log_->watermarks().slot);
      intake_.on_durable(block);
    }
    void on_written(const Block& block) override { intake_.on_written(block); }

   private:
    Judge* oracle_;
    const Node& node_;
    Intake& intake_;
  };

  // The oracle knows when each packet was taken.
  class WatchedQueue final : public PortQueue {
   public:
    explicit WatchedQueue(const NodeGround& ground) : ground_(ground) {}
    std::uint16_t receive(std::span<rte_mbuf*> packets) override {
      const std::uint16_t count = ground_.queue.receive(packets);
      ground_.oracle.received(count, ground_.clock.unix_now());
      return count;
    }
    rte_mbuf* buffer() override { return ground_.queue.buffer(); }
    std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
      return ground_.queue.transmit(packets);
    }

   private:
    NodeGround ground_;
  };

  NodeGround ground_;
  NodeOptions options_;
  PageBuffer memory_;
  BlockPool pool_;
  std::unique_ptr<Volume> volume_;
  RecoveredVolume recovered_;
  SegmentChannel channel_;
  std::unique_ptr<Keeper> keeper_;
  std::unique_ptr<LedgerFile> ledger_;
  std::unique_ptr<IoRing> ring_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Observer> observer_;
  std::unique_ptr<LogWriter> log_;
  std::vector<std::unique_ptr<const Routing>> routings_;  // the newest at the end
  Mailbox mailbox_;
  std::uint64_t keeper_steps_ = 0;
  std::unique_ptr<StreamRouter> router_;
  std::vector<std::unique_ptr<Door>> doors_;
  DoorMap map_;
  std::unique_ptr<Shard> shard_;
  std::unique_ptr<LedgerReader> reader_;
  std::uint64_t reported_before_;  // messages, by earlier lives of the node
  std::uint64_t received_before_;  // packets
  WatchedQueue queue_;
  std::unique_ptr<PortOutbox> outbox_;
  std::unique_ptr<pdp::PdpNode> pdp_;
};

}  // namespace penstock::sim
