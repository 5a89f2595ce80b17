// The block being filled: messages are laid out here exactly as they will lie on the drive.
#pragma once

#include "storage/log/capture_table.h"
#include "storage/log/producer_table.h"

namespace penstock {

// A run as its producer laid it out.
struct ProducerRun {
  ProducerIndex producer;
  std::uint64_t sequence;  // of its first message; before the producer's next one it comes late
  std::uint32_t message_count;
  std::uint64_t payload_bytes;
  UnixNanos received;
  // As they lie on the drive, and checked to be so: the first one has a subject, time deltas are 0.
  std::span<const std::byte> messages;
};

// One thread. Holds at most one block; who starts it gets it back from finish().
class BlockBuilder {
 public:
  // `drive_reads`: as LogOptions says.
  BlockBuilder(CaptureTable& captures, ProducerTable& producers, bool drive_reads)
      : captures_(captures), producers_(producers), drive_reads_(drive_reads) {}

  [[nodiscard]] bool has_block() const { return block_ != nullptr; }
  [[nodiscard]] bool has_messages() const {
    return block_ != nullptr && (block_->total.messages != 0 || run_.messages != 0);
  }
  // Of the block so far.
  [[nodiscard]] std::size_t used_bytes() const { return at_; }
  // Messages and payload in the block so far.
  [[nodiscard]] MessageCount count() const;

  void start(Block* block);

  // Copies the message in. False: it does not fit any more; finish this block and start another.
  [[nodiscard]] bool append(CaptureSetId set, std::size_t origin, const MessageView& message) {
    const std::int64_t delta = message.received.value - run_.base;
    if (run_open_ && set == run_.set && delta >= 0 && delta <= kDeltaMax) [[likely]] {
      const bool repeats = message.subject == subject_;
      const std::size_t bytes =
          message_bytes(repeats ? 0 : message.subject.size(), message.key.size(),
                        message.headers.size(), message.payload.size());
      if (bytes > limit_ - at_) return false;
      lay_out(message, repeats, bytes, static_cast<std::uint32_t>(delta));
      count_in(origin, message);
      return true;
    }
    return append_to_new_run(set, origin, message);
  }

  // Copies the whole run in. False as above: then nothing of it is in.
  [[nodiscard]] bool append_run(CaptureSetId set, std::size_t origin, const ProducerRun& run);

  // Whether the message, or the run, fits a block of this size that has nothing else.
  [[nodiscard]] bool fits_empty(CaptureSetId set, const MessageView& message,
                                std::size_t block_bytes) const;
  [[nodiscard]] bool fits_empty(CaptureSetId set, const ProducerRun& run,
                                std::size_t block_bytes) const;

  // Closes the last run and gives the block, its header filled but for its place.
  [[nodiscard]] Block* finish();

 private:
  // The block's lines are asked for this far in front of the writing, so that it does not wait for
  // memory: a block was last used long ago.
  static constexpr std::size_t kPrefetchAhead = 2048;
  static constexpr std::int64_t kDeltaMax = 4'000'000'000;  // fits MessageHeader::time_delta_ns

  struct Run {
    CaptureSetId set;
    std::size_t at = 0;  // of its header in the block
    std::int64_t base = 0;
    std::int64_t last = 0;
    std::uint32_t messages = 0;
    std::uint64_t payload_bytes = 0;
    ProducerIndex producer = kNoProducer;
    std::uint64_t sequence = 0;  // of its first message
    bool late = false;           // behind it in the session others were appended
    bool passed = false;         // and the log has a run of the session that ends behind it
  };

  bool append_to_new_run(CaptureSetId set, std::size_t origin, const MessageView& message);
  void open_run(CaptureSetId set, UnixNanos base);
  void close_run();
  void put_head();
  void prefetch(const std::byte* at, std::size_t bytes) const {
    for (std::size_t ahead = 0; ahead < bytes; ahead += kCacheLineBytes) {
      __builtin_prefetch(at + kPrefetchAhead + ahead, 1, 3);
    }
  }
  void lay_out(const MessageView& message, bool repeats, std::size_t bytes, std::uint32_t delta);
  void copy_run(std::byte* to, std::span<const std::byte> messages);
  void count_in(std::size_t origin, const MessageView& message) {
    ++run_.messages;
    run_.payload_bytes += message.payload.size();
    if (message.received.value > run_.last) run_.last = message.received.value;
    MessageCount& count = block_->origins[origin];
    ++count.messages;
    count.bytes += message.payload.size();
  }

  CaptureTable& captures_;
  ProducerTable& producers_;
  const bool drive_reads_;
  Block* block_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t at_ = 0;
  std::size_t limit_ = 0;
  bool run_open_ = false;
  Run run_;
  std::string_view subject_;  // of the last message of the run, in the block
};

// Zeros end up in the padding because they are stored first.
inline void BlockBuilder::lay_out(const MessageView& message, bool repeats, std::size_t bytes,
                                  std::uint32_t delta) {
  std::byte* at = data_ + at_;
  at_ += bytes;
  prefetch(at, bytes);
  const std::uint64_t zeros = 0;
  std::memcpy(at + bytes - sizeof zeros, &zeros, sizeof zeros);
  const MessageHeader header{
      .payload_length = static_cast<std::uint32_t>(message.payload.size()),
      .time_delta_ns = delta,
      .subject_length = static_cast<std::uint16_t>(repeats ? 0 : message.subject.size()),
      .key_length = static_cast<std::uint16_t>(message.key.size()),
      .headers_length = static_cast<std::uint16_t>(message.headers.size()),
      .flags = message.flags};
  std::memcpy(at, &header, sizeof header);
  at += sizeof header;
  if (!repeats) {
    std::memcpy(at, message.subject.data(), message.subject.size());
    subject_ = {reinterpret_cast<const char*>(at), message.subject.size()};
    at += message.subject.size();
  }
  if (!message.key.empty()) {
    std::memcpy(at, message.key.data(), message.key.size());
    at += message.key.size();
  }
  if (!message.headers.empty()) {
    std::memcpy(at, message.headers.data(), message.headers.size());
    at += message.headers.size();
  }
  if (!message.payload.empty()) std::memcpy(at, message.payload.data(), message.payload.size());
}

}  // namespace penstock
