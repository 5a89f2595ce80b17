// A shard on its own core: made on its thread, so that everything it touches is the thread's own.
#pragma once

#include <atomic>
#include <future>
#include <memory>

#include "base/clock.h"
#include "control/daemon/shard_world.h"

namespace penstock {

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
