#include "dataplane/client/message_queue.h"

#include <algorithm>

namespace penstock::client {
namespace {

constexpr std::size_t kAlign = 8;

std::byte* copy(std::byte* to, const void* from, std::size_t bytes) {
  if (bytes != 0) std::memcpy(to, from, bytes);
  return to + bytes;
}

}  // namespace

MessageQueue::MessageQueue(std::size_t messages_max, std::size_t bytes_max)
    : messages_max_(messages_max), memory_(align_up(std::max<std::size_t>(bytes_max, 64), kAlign)) {
  CHECK_GT(messages_max, 0U);
}

std::size_t MessageQueue::record_bytes(const OutgoingMessage& message) {
  return align_up(sizeof(Record) + message.subject.size() + message.key.size() +
                      message.headers.size() + message.payload.size(),
                  kAlign);
}

// Half of the memory: wherever the end is, such a message fits behind it or before it.
bool MessageQueue::takes(const OutgoingMessage& message) const {
  return record_bytes(message) <= memory_.size() / 2;
}

std::size_t MessageQueue::push(std::span<const OfferedMessage> messages, MonotonicNanos now) {
  const std::scoped_lock lock(push_mutex_);
  if (is_closed()) return 0;
  const std::uint64_t held = messages_.load(std::memory_order_relaxed);
  const std::size_t room = std::min<std::uint64_t>(messages.size(), messages_max_ - held);
  std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  std::size_t count = 0;
  while (count < room && put(messages[count], now, tail)) ++count;
  if (count == 0) return 0;
  messages_.fetch_add(count, std::memory_order_relaxed);
  // Sequentially consistent with the reader's note that it goes to sleep: one of both sees the
  // other's.
  tail_.store(tail, std::memory_order_seq_cst);
  return count;
}

// Writes the message at `tail`, and moves that behind it: the reader is not told yet. False: full.
bool MessageQueue::put(const OfferedMessage& offered, MonotonicNanos now, std::uint64_t& tail) {
  const OutgoingMessage& message = offered.message;
  const std::size_t bytes = record_bytes(message);
  std::size_t at = tail % memory_.size();
  const std::size_t skipped = memory_.size() - at < bytes ? memory_.size() - at : 0;
  // acquire: the reader has finished with what is written over.
  const std::uint64_t used = tail - head_.load(std::memory_order_acquire);
  if (used + skipped + bytes > memory_.size()) return false;
  if (skipped != 0) {
    store(std::span(memory_), at, kWrap);
    at = 0;
  }
  store(std::span(memory_), at,
        Record{.bytes = static_cast<std::uint32_t>(bytes),
               .payload_bytes = static_cast<std::uint32_t>(message.payload.size()),
               .subject_bytes = static_cast<std::uint16_t>(message.subject.size()),
               .key_bytes = static_cast<std::uint16_t>(message.key.size()),
               .headers_bytes = static_cast<std::uint16_t>(message.headers.size()),
               .reserved = 0,
               .opaque = offered.opaque,
               .queued_ns = now.value});
  std::byte* to = memory_.data() + at + sizeof(Record);
  to = copy(to, message.subject.data(), message.subject.size());
  to = copy(to, message.key.data(), message.key.size());
  to = copy(to, message.headers.data(), message.headers.size());
  copy(to, message.payload.data(), message.payload.size());
  tail += skipped + bytes;
  return true;
}

void MessageQueue::close() {
  {
    const std::scoped_lock lock(push_mutex_);
    is_closed_.store(true, std::memory_order_release);
  }
  wake();
}

bool MessageQueue::front(QueuedMessage& queued) {
  std::uint64_t head = head_.load(std::memory_order_relaxed);
  // acquire: the record is seen before the position that announces it.
  if (head == tail_.load(std::memory_order_acquire)) return false;
  std::size_t at = head % memory_.size();
  if (load<std::uint32_t>(memory_, at) == kWrap) {
    head += memory_.size() - at;
    head_.store(head, std::memory_order_release);
    at = 0;
  }
  const auto record = load<Record>(memory_, at);
  const std::span<const std::byte> bytes = memory_;
  at += sizeof record;
  queued.message.subject = {reinterpret_cast<const char*>(memory_.data() + at),
                            record.subject_bytes};
  at += record.subject_bytes;
  queued.message.key = bytes.subspan(at, record.key_bytes);
  at += record.key_bytes;
  queued.message.headers = bytes.subspan(at, record.headers_bytes);
  at += record.headers_bytes;
  queued.message.payload = bytes.subspan(at, record.payload_bytes);
  queued.opaque = record.opaque;
  queued.queued = MonotonicNanos(record.queued_ns);
  return true;
}

void MessageQueue::pop() {
  const std::uint64_t head = head_.load(std::memory_order_relaxed);
  const auto record = load<Record>(memory_, head % memory_.size());
  // release: our reads of the record are done before it is written over.
  head_.store(head + record.bytes, std::memory_order_release);
  notify();
}

void MessageQueue::done(std::uint64_t messages) {
  messages_.fetch_sub(messages, std::memory_order_acq_rel);
  notify();
}

void MessageQueue::notify() {
  if (waiting_.load(std::memory_order_seq_cst) != 0) wake();
}

void MessageQueue::wake() {
  const std::scoped_lock lock(room_mutex_);
  room_.notify_all();
}

void MessageQueue::wait_for_none(std::int64_t time_ns) {
  waiting_.fetch_add(1, std::memory_order_seq_cst);
  std::unique_lock lock(room_mutex_);
  room_.wait_for(lock, std::chrono::nanoseconds(time_ns), [this] { return messages() == 0; });
  waiting_.fetch_sub(1, std::memory_order_seq_cst);
}

bool MessageQueue::has_room() const {
  const std::uint64_t used =
      tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_acquire);
  return is_closed() || (messages() < messages_max_ && used <= memory_.size() / 2);
}

}  // namespace penstock::client
