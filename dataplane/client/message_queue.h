// Messages on their way from the application's threads to the producer's own: copied into one
// bounded piece of memory, in order, and read there in place.
//
// Threads that push take turns by a mutex; the one that reads takes none.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "dataplane/client/batcher.h"

namespace penstock::client {

struct QueuedMessage {
  OutgoingMessage message;
  std::uint64_t opaque = 0;
  MonotonicNanos queued;
};

class MessageQueue {
 public:
  // Messages count from push() until done(), bytes until pop().
  MessageQueue(std::size_t messages_max, std::size_t bytes_max);

  // Any thread. How many of them, from the first one on, with no message of another thread between
  // them: less than all when it is full, none when it is closed.
  [[nodiscard]] std::size_t push(std::span<const OfferedMessage> messages, MonotonicNanos now);
  // Any thread: waits for room or until `or_until()` is true, at most that long. Whoever makes that
  // true calls wake().
  template <class OrUntil>
  void wait_for_room(std::int64_t time_ns, OrUntil or_until);
  // Any thread: whoever waits may look.
  void wake();
  // Any thread: waits until nothing is held, at most that long.
  void wait_for_none(std::int64_t time_ns);
  // Any thread: nothing is taken any more once it returns.
  void close();
  [[nodiscard]] bool is_closed() const { return is_closed_.load(std::memory_order_acquire); }
  // Whether a message could ever be pushed.
  [[nodiscard]] bool takes(const OutgoingMessage& message) const;

  // The reader: the oldest message, valid until pop(). False: there is none.
  [[nodiscard]] bool front(QueuedMessage& queued);
  void pop();
  [[nodiscard]] bool empty() const {
    return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_seq_cst);
  }

  // Any thread: so many messages are done with.
  void done(std::uint64_t messages);
  // Any thread: pushed and not done with.
  [[nodiscard]] std::uint64_t messages() const { return messages_.load(std::memory_order_acquire); }

 private:
  struct Record {             // before the bytes of a message
    std::uint32_t bytes = 0;  // of all, a multiple of 8; kWrap: go on at the beginning
    std::uint32_t payload_bytes = 0;
    std::uint16_t subject_bytes = 0;
    std::uint16_t key_bytes = 0;
    std::uint16_t headers_bytes = 0;
    std::uint16_t reserved = 0;
    std::uint64_t opaque = 0;
    std::int64_t queued_ns = 0;
  };
  static constexpr std::uint32_t kWrap = 0;
  [[nodiscard]] bool has_room() const;
  [[nodiscard]] bool put(const OfferedMessage& offered, MonotonicNanos now, std::uint64_t& tail);
  [[nodiscard]] static std::size_t record_bytes(const OutgoingMessage& message);
  void notify();

  std::size_t messages_max_;
  std::vector<std::byte> memory_;
  std::mutex push_mutex_;
  std::mutex room_mutex_;
  std::condition_variable room_;
  std::atomic<bool> is_closed_{false};
  std::atomic<unsigned> waiting_{0};  // threads, for room
  alignas(64) std::atomic<std::uint64_t> messages_{0};
  // Positions that only grow; a record never goes over the memory's end.
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  alignas(64) std::atomic<std::uint64_t> head_{0};
};

template <class OrUntil>
void MessageQueue::wait_for_room(std::int64_t time_ns, OrUntil or_until) {
  waiting_.fetch_add(1, std::memory_order_seq_cst);
  std::unique_lock lock(room_mutex_);
  room_.wait_for(lock, std::chrono::nanoseconds(time_ns), [&] { return has_room() || or_until(); });
  waiting_.fetch_sub(1, std::memory_order_seq_cst);
}

}  // namespace penstock::client
