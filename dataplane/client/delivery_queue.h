// Reports on their way from the producer's thread to those of the application.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/spsc_ring.h"
#include "dataplane/client/producer.h"

namespace penstock::client {

// push() and wake() from one thread, the others from any.
class DeliveryQueue {
 public:
  // More messages are never produced and not reported.
  explicit DeliveryQueue(std::size_t messages_max) : ring_(messages_max) {}

  void push(const Delivery& delivery) { CHECK(ring_.push(delivery)); }
  // Whoever waits may look.
  void wake() {
    const std::scoped_lock lock(mutex_);
    changed_.notify_all();
  }

  // Hands out up to `count`; returns how many. One thread at a time does, the others wait.
  template <class Hand>
  std::size_t take(std::size_t count, Hand hand) {
    const std::scoped_lock lock(take_mutex_);
    const Taking taking(taker_);
    std::size_t taken = 0;
    while (taken < count) {
      const auto delivery = ring_.pop();
      if (!delivery) break;
      hand(*delivery);
      ++taken;
    }
    return taken;
  }
  // Until nobody is in take(), but for those who come later.
  void wait_for_taker() { const std::scoped_lock lock(take_mutex_); }
  // Whether the caller is called by take(), which must not be called again then.
  [[nodiscard]] bool is_handing_out_here() const {
    return taker_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }
  [[nodiscard]] bool empty() const { return ring_.empty(); }
  // Until there is something, or the time is over.
  void wait(std::int64_t time_ns) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::nanoseconds(time_ns), [this] { return !ring_.empty(); });
  }

 private:
  struct Taking {
    explicit Taking(std::atomic<std::thread::id>& into) : taker(into) {
      taker.store(std::this_thread::get_id(), std::memory_order_relaxed);
    }
    ~Taking() { taker.store({}, std::memory_order_relaxed); }
    Taking(const Taking&) = delete;
    Taking& operator=(const Taking&) = delete;
    std::atomic<std::thread::id>& taker;
  };

  SpscRing<Delivery> ring_;
  std::mutex take_mutex_;
  std::atomic<std::thread::id> taker_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace penstock::client
