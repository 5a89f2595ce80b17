// A shard on its own core: made on its thread, so that everything it touches is the thread's own.
#pragma once

#include <atomic>
#include <future>
#include <memory>

#include "base/clock.h"
#include "control/config/config.h"
#include "dataplane/shard/shard.h"
#include "storage/log/log_writer.h"

namespace penstock {

// The order of a shard's accounts in its ledger area:
// its ports, all doors, all streams, the shard, its gauges, its log's edge.
struct ShardAccounts {
  std::size_t ports;
  std::size_t doors;
  std::size_t streams;

  [[nodiscard]] std::size_t port(std::size_t i) const { return i; }
  [[nodiscard]] std::size_t door(std::size_t i) const { return ports + i; }
  [[nodiscard]] std::size_t stream(std::size_t i) const { return ports + doors + i; }
  [[nodiscard]] std::size_t shard() const { return ports + doors + streams; }
  [[nodiscard]] std::size_t gauges() const { return shard() + 1; }
  [[nodiscard]] std::size_t edge() const { return shard() + 2; }
};

// What a shard needs to know; what it points to outlives the thread.
struct ShardPlan {
  unsigned number = 0;
  unsigned lcore = 0;  // DPDK's
  bool busy = false;   // never sleep
  bool hugepages = false;
  VolumeConfig volume;
  VolumeId volume_id{};
  LogStart start;
  SegmentChannel* channel = nullptr;
  std::vector<DoorConfig> doors;
  std::vector<StreamConfig> streams;
  struct Queue {
    PortQueue* queue;
    FrameOptions frame;
  };
  std::vector<Queue> queues;
  LedgerArea* area = nullptr;
};

// Used by the control thread; the shard itself lives on its lcore.
class ShardThread {
 public:
  explicit ShardThread(ShardPlan plan) : plan_(std::move(plan)) {}
  ~ShardThread();
  ShardThread(const ShardThread&) = delete;
  ShardThread& operator=(const ShardThread&) = delete;

  // Returns when the shard polls, or with the reason why it cannot.
  [[nodiscard]] Result<> start();

  // Asks it to take what its queues hold, and then to seal and flush. Returns at once.
  void stop() { stop_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool ended() const { return ended_.load(std::memory_order_acquire); }
  // After ended(): whether all that was taken became durable.
  [[nodiscard]] bool all_durable() const { return all_durable_; }

 private:
  static int entry(void* self);
  void run();
  void poll(Shard& shard, ShardGauges& gauges);
  void drain(Shard& shard);

  ShardPlan plan_;
  SystemClock clock_;
  std::promise<Result<>> started_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> ended_{false};
  bool launched_ = false;
  bool all_durable_ = true;
};

}  // namespace penstock
