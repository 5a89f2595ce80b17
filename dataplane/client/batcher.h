// Puts messages straight into the frames that will be sent: one open frame for each subject, of a
// bounded number of subjects at a time.
//
// Messages of one subject keep their order; sequences are given when a frame is sealed, so those of
// different subjects may change places. A frame is sealed when the next message does not fit, when
// it has as many messages as it may, when it lingered, when its messages' times would lie too far
// apart, and when its place is needed for another subject.
#pragma once

#include <limits>

#include "dataplane/client/frame_ring.h"
#include "dataplane/client/rtt_estimator.h"

namespace penstock::client {

struct OutgoingMessage {
  std::string_view subject;
  std::span<const std::byte> key;
  std::span<const std::byte> headers;  // encoded: storage/format/message.h
  std::span<const std::byte> payload;
};

// A message and the number that comes back with its report.
struct OfferedMessage {
  OutgoingMessage message;
  std::uint64_t opaque = 0;
};

// A message that has nothing but a payload.
struct PlainMessage {
  std::span<const std::byte> payload;
  std::uint64_t opaque;
};

struct BatcherOptions {
  std::size_t subjects_max = 16;  // with an open frame
  std::uint32_t messages_per_frame_max = 512;
  // Between the first message of a frame and its last one: so much later than its time the first
  // one expires.
  std::int64_t span_max_ns = std::numeric_limits<std::int64_t>::max();
};

enum class Appended : std::uint8_t {
  kDone,
  kFull,      // no room for another frame: acknowledgements make it
  kTooLarge,  // it fits into no frame that the path takes now
  kBadField,  // the subject is empty or too long, or the key or the headers are
  kClosed,    // the session takes no more
};

// Of several messages: how many were taken, and what became of the first one that was not.
struct AppendedAll {
  std::size_t count = 0;
  Appended outcome = Appended::kDone;
};

// One thread. Memory is taken by the constructor only.
class Batcher {
 public:
  Batcher(FrameRing& ring, const BatcherOptions& options);

  // The longest frame, trailer not included, is `frame_bytes_max`. `queued` may lie back.
  [[nodiscard]] Appended append(const OutgoingMessage& message, std::uint64_t opaque,
                                std::size_t frame_bytes_max, MonotonicNanos queued);
  // Messages of one subject, each like append(); what is the same for all is looked at once a
  // frame.
  [[nodiscard]] AppendedAll append_all(std::string_view subject,
                                       std::span<const PlainMessage> messages,
                                       std::size_t frame_bytes_max, MonotonicNanos queued);

  // Seals the frames opened until then, as long as the ring has places.
  void seal_opened_until(MonotonicNanos time);
  void seal_all() { seal_opened_until(kNever); }
  // When the oldest frame was opened; never when none is.
  [[nodiscard]] MonotonicNanos oldest_opened() const { return oldest_opened_; }
  [[nodiscard]] bool empty() const { return open_.empty(); }
  [[nodiscard]] std::uint64_t messages() const { return messages_; }  // in open frames

 private:
  struct Batch {
    std::uint64_t subject_hash = 0;
    BufferId buffer = kNone;
    std::uint32_t messages = 0;
    std::uint32_t bytes = 0;  // head included
    std::uint32_t subject_bytes = 0;
    MonotonicNanos opened;  // its first message's time
    MonotonicNanos newest;  // its last message's
  };
  [[nodiscard]] bool is_of(const Batch& batch, std::string_view subject) const;
  [[nodiscard]] Batch* find(std::string_view subject);
  [[nodiscard]] bool takes(const Batch& batch, const OutgoingMessage& message,
                           std::size_t frame_bytes_max, MonotonicNanos queued) const;
  [[nodiscard]] Batch* open(std::string_view subject, MonotonicNanos queued);
  void put(Batch& batch, const OutgoingMessage& message, std::uint64_t opaque, bool with_subject);
  [[nodiscard]] std::size_t fill(Batch& batch, std::span<const PlainMessage> messages,
                                 std::size_t frame_bytes_max);
  void took(Batch& batch, std::size_t bytes, std::size_t messages);
  void seal(std::size_t index);
  void find_oldest();

  FrameRing& ring_;
  BatcherOptions options_;
  std::vector<Batch> open_;
  std::size_t last_used_ = 0;
  std::uint64_t messages_ = 0;
  MonotonicNanos oldest_opened_;
};

}  // namespace penstock::client
