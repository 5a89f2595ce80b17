// A bounded queue between exactly two threads. Never blocks: a full ring refuses, the caller
// counts.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"

namespace penstock {

// push() from one thread only, pop() from one thread only; they may differ. Capacity is fixed at
// construction; elements are moved in and out.
template <class T>
class SpscRing {
 public:
  explicit SpscRing(std::size_t capacity) : slots_(capacity + 1) { CHECK_GT(capacity, 0U); }

  [[nodiscard]] bool push(T value) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);  // only this thread writes it
    const std::size_t next = successor(tail);
    // acquire: the consumer has finished with the slot before we overwrite it.
    if (next == head_.load(std::memory_order_acquire)) return false;
    slots_[tail] = std::move(value);
    // release: the element is visible before the index that announces it.
    tail_.store(next, std::memory_order_release);
    return true;
  }

  [[nodiscard]] std::optional<T> pop() {
    const std::size_t head = head_.load(std::memory_order_relaxed);  // only this thread writes it
    // acquire: pairs with push()'s release, so that the element's bytes are seen.
    if (head == tail_.load(std::memory_order_acquire)) return std::nullopt;
    std::optional<T> value(std::move(slots_[head]));
    // release: our read of the slot is done before the producer may reuse it.
    head_.store(successor(head), std::memory_order_release);
    return value;
  }

  // Elements that push() still takes; on the producer's thread at least that many.
  [[nodiscard]] std::size_t free() const {
    const std::size_t head = head_.load(std::memory_order_acquire);
    const std::size_t tail = tail_.load(std::memory_order_acquire);
    return (head + slots_.size() - tail - 1) % slots_.size();
  }

  // Exact for the two threads that use the ring, a moment's view for others.
  [[nodiscard]] bool empty() const {
    return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
  }

 private:
  [[nodiscard]] std::size_t successor(std::size_t i) const {
    return i + 1 == slots_.size() ? 0 : i + 1;
  }

  std::vector<T> slots_;  // one more than the capacity: tells full from empty
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
};

}  // namespace penstock
