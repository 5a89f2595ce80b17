// A shard's log: messages in, durable blocks out.
//
// Invariants:
//   durable_sequence <= written_sequence <= next_sequence
//   every message appended is in exactly one of: the open block, a sealed block, a durable block
//   a block's buffer goes back to the pool only when the block is durable
//   a failed write or flush poisons its segment: nothing in it that was not durable is ever called
//   durable there; it is rewritten, in order, to a fresh segment
//   written_sequence goes back to durable_sequence then: what was written is promised to nobody
//
// append() copies the message once, from the packet into the block that the drive will read. poll()
// is called once a loop: it reaps completions, gives sealed blocks their place, checksums and
// submits them.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "storage/log/block_builder.h"
#include "storage/log/segment_channel.h"
#include "storage/log/segment_writer.h"
#include "storage/ring/io_ring.h"

namespace penstock {

enum class Durability : std::uint8_t {
  kSync,   // every write completes on stable storage (RWF_DSYNC)
  kFlush,  // writes complete in the drive's cache, a flush that covers them follows
};

struct LogOptions {
  VolumeId volume;
  LogNumber log;
  std::uint64_t segment_bytes;
  std::uint32_t block_bytes = 256 * 1024;
  unsigned queue_depth = 8;            // writes in flight
  std::int64_t linger_ns = 2'000'000;  // a block with messages is sealed after this at the latest
  Durability durability = Durability::kSync;
  // Sessions that the log knows at once, at most producers_max(). 0: as many as it starts with, so
  // that it forgets none where there is no front door for them.
  std::size_t producers = 0;
  // Whether the ring's writes read the blocks, so that their bytes belong in memory and not in this
  // core's caches.
  bool drive_reads = true;
};

// Their entries take no more than a quarter of a segment.
[[nodiscard]] constexpr std::size_t producers_max(std::uint64_t segment_bytes) {
  return segment_bytes / 4 / sizeof(ProducerEntry);
}

// Where a log goes on: what recovery found, or all defaults for a new log.
struct LogStart {
  BlockSequence next_sequence{0};
  std::uint32_t last_crc = 0;
  SegmentSequence next_segment{1};
  struct Partition {
    StreamId stream;
    Offset next_offset;
  };
  std::vector<Partition> partitions;
  Offset new_partitions{0};  // where the others begin
  struct Producer {
    SessionNumber session;
    std::uint64_t next_sequence;
    UnixNanos last_used;
    // Sequence of the first of its runs that recovery read: the others are known by an index.
    std::optional<std::uint64_t> begun;

    bool operator==(const Producer&) const = default;
  };
  // Each session once, the one used last at the end: where there is no room for all of them, the
  // first ones are forgotten.
  std::vector<Producer> producers;

  // The log's last segment when it was not closed: it is filled on from its last good block. What a
  // crash left behind that place cannot be taken for data, because it does not chain to what
  // follows.
  struct OpenSegment {
    SegmentHeader header;
    SlotFile file;                // to be opened by who starts the log
    std::uint32_t position;       // pages: behind its last good block
    SegmentIndex index;           // of its blocks so far; partitions: only those that it holds
    std::uint64_t payload_bytes;  // of its messages, each once
    // Pages behind `position` where whole blocks begin that a crash left. They have to be cleared
    // first (storage/recover/torn_tail.h).
    std::vector<std::uint32_t> left_behind;
  };
  std::optional<OpenSegment> open;
};

// Told of every block that was written or became durable, in sequence order, on the log's thread.
class LogObserver {
 public:
  virtual ~LogObserver() = default;
  virtual void on_durable(const Block& block) = 0;
  // With kFlush only, where on_durable() does not come at once: its write completed, and those of
  // all blocks before it. After a failed write it may come again for a block that is not durable
  // yet.
  virtual void on_written(const Block& /*block*/) {}
};

enum class Appended : std::uint8_t {
  kOk,
  kTooLarge,      // would not fit an empty block
  kDriveSlow,     // every block is waiting for the drive
  kVolumeFull,    // every block is waiting for a segment, and the volume has none
  kVolumeFailed,  // writes fail, and so did the last fresh segment
};

// How far the log is, for readers and acknowledgements.
struct LogWatermarks {
  BlockSequence next{0};     // the next block to be sealed gets this
  BlockSequence written{0};  // all before it completed their write
  BlockSequence durable{0};  // all before it are on stable storage
  // The place just behind the last durable block: a reader may read its segment up to here.
  SegmentSequence segment{0};
  SlotIndex slot{0};
  Generation generation{0};
  std::uint32_t position = 0;  // pages
};

struct LogCounters {
  std::uint64_t blocks_sealed = 0;
  std::uint64_t blocks_durable = 0;
  std::uint64_t bytes_submitted = 0;  // of block writes, padding included
  std::uint64_t segments_taken = 0;
  std::uint64_t segments_closed = 0;
  std::uint64_t segments_poisoned = 0;
  std::uint64_t write_errors = 0;
  std::uint64_t flush_errors = 0;
  std::int32_t last_errno = 0;
};

// One thread. Nothing is allocated after construction.
class LogWriter {
 public:
  // Pool, ring, channel, clock, rng and observer outlive the log.
  LogWriter(const LogOptions& options, const LogStart& start, BlockPool& pool, IoRing& ring,
            SegmentChannel& channel, Clock& clock, Rng& rng, LogObserver& observer);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // The sets of partitions that messages go to. Others add sets and look at them only.
  [[nodiscard]] CaptureTable& captures() { return captures_; }

  // Copies the message into the open block. The view may die right after. The subject is not empty.
  [[nodiscard]] Appended append(CaptureSetId set, std::size_t origin, const MessageView& message) {
    if (builder_.has_block() && builder_.append(set, origin, message)) [[likely]] {
      return Appended::kOk;
    }
    return append_to_new_block(set, origin, message);
  }

  // Copies a whole run of a producer into the open block, behind a head of its own.
  [[nodiscard]] Appended append_run(CaptureSetId set, std::size_t origin, const ProducerRun& run) {
    if (builder_.has_block() && builder_.append_run(set, origin, run)) [[likely]] {
      return Appended::kOk;
    }
    return append_to_new_block(set, origin, run);
  }
  [[nodiscard]] Durability durability() const { return options_.durability; }
  // The sessions that the log knows, and how far each is. Others add, pin, unpin and skip only.
  [[nodiscard]] ProducerTable& producers() { return producers_; }

  // One step of everything that does not wait for a message, at this time, which is the log's until
  // the next call. Returns whether anything was done.
  bool poll(MonotonicNanos now);

  // Seals the open block now if it has messages, whatever its linger.
  void seal();
  // Somebody waits for what was appended: it is sealed as soon as the drive has little to do, so
  // that a write carries all that came during the ones before it.
  void hurry() { hurried_ = true; }

  // After seal(): true when nothing is open, sealed or in flight.
  [[nodiscard]] bool drained() const;
  // Writes an empty marker block that proves all before it durable (orderly end); poll until
  // drained().
  void mark_clean_end();

  [[nodiscard]] const LogWatermarks& watermarks() const { return watermarks_; }
  [[nodiscard]] const LogCounters& counters() const { return counters_; }
  // Messages taken and not yet durable; equals the sum over open and sealed blocks.
  [[nodiscard]] MessageCount in_flight() const;

 private:
  // Tokens of operations that are not in the ordered queue.
  static constexpr std::uint64_t kFlushToken = ~std::uint64_t{0};
  static constexpr std::uint64_t kCloseToken = kFlushToken - 1;
  static constexpr unsigned kFailuresUntilPause = 2;
  // A hurried block is written beside one other, and once it is a quarter full beside two: they
  // keep the drive busy, and what comes meanwhile shares the next write.
  static constexpr std::uint64_t kHurriedWrites = 2;
  static constexpr std::uint64_t kHurriedQuarters = 3;
  static constexpr std::int64_t kRetryPauseNs = kNanosPerSecond;

  // What goes to the drive, in the order in which it becomes durable.
  struct Op {
    enum class State : std::uint8_t { kWaiting, kSubmitted, kWritten };
    State state = State::kWaiting;
    Block* block = nullptr;  // null: the header of `segment`
    SegmentWriter* segment = nullptr;
    std::uint64_t offset = 0;
    std::span<const std::byte> bytes;
  };

  // log_writer.cc
  [[nodiscard]] Appended why_no_block() const;
  Appended append_to_new_block(CaptureSetId set, std::size_t origin, const MessageView& message);
  Appended append_to_new_block(CaptureSetId set, std::size_t origin, const ProducerRun& run);
  [[nodiscard]] Appended start_block();
  void seal_due();
  bool reap();
  void complete(const IoCompletion& completion);
  void advance();
  void tell_written(const Block& block);
  void make_durable(std::uint64_t end);
  void flush();
  bool place_sealed();
  bool submit_waiting();
  void start_over();

  // log_segments.cc
  void resume(const LogStart::OpenSegment& open);
  bool begin_segment();
  bool retire_current();
  void close_retiring();
  void finish_retiring(SegmentEvent::Kind kind);
  void give_up(SegmentWriter*& segment);
  void tell(SegmentEvent::Kind kind, const SegmentWriter& segment);

  [[nodiscard]] Op& op(std::uint64_t number) { return ops_[number % ops_.size()]; }
  [[nodiscard]] const Op& op(std::uint64_t number) const { return ops_[number % ops_.size()]; }

  LogOptions options_;
  BlockPool& pool_;
  IoRing& ring_;
  SegmentChannel& channel_;
  Clock& clock_;
  Rng& rng_;
  LogObserver& observer_;
  CaptureTable captures_;
  ProducerTable producers_;
  BlockBuilder builder_;
  MonotonicNanos now_;           // of the last poll()
  MonotonicNanos opened_at_{0};  // the block being filled got its first message
  bool hurried_ = false;         // somebody waits for one of its messages

  std::vector<Block*> sealed_;  // a ring: sealed, without a place yet
  std::uint64_t sealed_begin_ = 0;
  std::uint64_t sealed_end_ = 0;

  // Two segments at most: the one being filled, and one before it that waits to be closed.
  SegmentWriter segment_a_;
  SegmentWriter segment_b_;
  SegmentWriter* current_ = nullptr;
  SegmentWriter* retiring_ = nullptr;
  BlockSequence retiring_end_{0};   // durable up to here: retiring_ can be closed
  std::uint32_t retiring_crc_ = 0;  // of its last block
  bool closing_ = false;            // its index or footer is being written
  bool index_durable_ = false;      // the footer is next
  std::span<const std::byte> close_part_;
  SegmentSequence next_segment_{1};

  // durable_op_ <= written_op_ <= submitted_op_ <= end_op_
  std::vector<Op> ops_;  // a ring
  std::uint64_t durable_op_ = 0;
  std::uint64_t written_op_ = 0;
  std::uint64_t submitted_op_ = 0;
  std::uint64_t end_op_ = 0;
  std::uint64_t flush_end_ = 0;  // what the flush under way covers; 0: none is under way

  BlockSequence placed_{0};  // the next block that gets a place gets this sequence
  std::uint32_t placed_crc_ = 0;
  std::uint32_t durable_crc_ = 0;
  bool failed_ = false;    // a write or flush failed: nothing is submitted until all are back
  unsigned failures_ = 0;  // in a row, without a block becoming durable
  MonotonicNanos retry_at_{0};
  bool wants_slot_ = false;
  LogWatermarks watermarks_;
  LogCounters counters_;
};

}  // namespace penstock
