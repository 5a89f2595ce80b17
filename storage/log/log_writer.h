// A shard's log: messages in, durable blocks out.
//
// Invariants:
//   durable_sequence <= written_sequence <= next_sequence
//   every message appended is in exactly one of: the open block, a sealed block, a durable block
//   a block's buffer goes back to the pool only when the block is durable
//   a failed write or flush poisons its segment: nothing in it that was not durable is ever called
//   durable there; it is rewritten, in order, to a fresh segment
//
// append() copies the message once, from the packet into the block that the drive will read. poll() is
// called once a loop: it reaps completions, gives sealed blocks their place, checksums and submits them.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "storage/log/block_pool.h"
#include "storage/log/segment_channel.h"
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
  unsigned queue_depth = 8;              // writes in flight
  std::int64_t linger_ns = 2'000'000;    // a block with messages is sealed after this at the latest
  Durability durability = Durability::kSync;
};

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

  // The log's last segment when it was not closed: it is filled on from its last good block. What a
  // crash left behind that place cannot be taken for data, because it does not chain to what follows.
  struct OpenSegment {
    SegmentHeader header;
    SlotFile file;           // to be opened by who starts the log
    std::uint32_t position;  // pages: behind its last good block
    SegmentIndex index;      // of its blocks so far; partitions: only those that it holds
  };
  std::optional<OpenSegment> open;
};

// Told of every block that became durable, in sequence order, on the log's thread.
class LogObserver {
 public:
  virtual ~LogObserver() = default;
  virtual void on_durable(const Block& block) = 0;
};

enum class Appended : std::uint8_t {
  kOk,
  kTooLarge,    // would not fit an empty block
  kDriveSlow,   // every block is waiting for the drive
  kVolumeFull,  // every block is waiting for a segment, and the volume has none
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

// One thread. Nothing is allocated after construction and add_capture_set().
class LogWriter {
 public:
  // Pool, ring, channel, clock, rng and observer outlive the log.
  LogWriter(const LogOptions& options, const LogStart& start, BlockPool& pool, IoRing& ring,
            SegmentChannel& channel, Clock& clock, Rng& rng, LogObserver& observer);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // The partitions that a message of this set goes to; 1..kCapturesMax streams, each once. The same
  // set gives the same id. kNoSpace when the bounded table is full.
  [[nodiscard]] Result<CaptureSetId> add_capture_set(std::span<const StreamId> streams);
  [[nodiscard]] std::span<const StreamId> capture_set(CaptureSetId id) const;

  // Copies the message into the open block. The view may die right after.
  [[nodiscard]] Appended append(CaptureSetId set, std::size_t origin, const MessageView& message);

  // One step of everything that does not wait for a message. Returns whether anything was done.
  bool poll();

  // Seals the open block now if it has messages, whatever its linger.
  void seal();

  // After seal(): true when nothing is open, sealed or in flight. Then finish() may be called.
  [[nodiscard]] bool drained() const;
  // Writes an empty marker block that proves all before it durable (orderly end); poll until drained().
  void mark_clean_end();

  [[nodiscard]] const LogWatermarks& watermarks() const;
  [[nodiscard]] const LogCounters& counters() const;
  // Messages taken and not yet durable; equals the sum over open and sealed blocks.
  [[nodiscard]] MessageCount in_flight() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock
