// Reads one log in order, or one stream's partition of it, while its shard may be writing.
//
// Every block is checked against its place and its predecessor after it was read, so that what a
// recycled slot holds now is never taken for what it held before:
//   - bad, and the slot's header is another one: trimmed by retention; reading goes on with the
//     oldest there is
//   - bad, or not given by the drive, and the header is the same: corrupt; reading goes on with the
//     next good block
// A block in front of the durable end is never taken for the end of the log.
#pragma once

#include <variant>

#include "storage/read/gap.h"
#include "storage/read/segment_list.h"
#include "storage/recover/segment_scan.h"

namespace penstock {

struct Record {
  LogNumber log;
  StreamId stream;  // the one asked for, else the first that holds the message
  Offset offset;    // in that stream's partition
  MessageView message;
};

struct AtEnd {};  // nothing more is durable now

using Item = std::variant<Record, Gap, AtEnd>;

// One thread. The volume outlives it; it may be opened kReadOnly.
class LogReader {
 public:
  // Stands at the beginning. Without a stream: all messages of the log. Of `recovered` the segments
  // count, and whether there may have been older ones.
  LogReader(Volume& volume, LogNumber log, std::optional<StreamId> stream,
            const RecoveredLog& recovered, const LogEnd& end);

  // The oldest message there is. If damage may have taken older ones, a lost gap comes first.
  void seek_beginning();
  // Behind the last durable message.
  [[nodiscard]] Result<> seek_end();
  // Of the stream. Before its first offset: a trimmed gap comes first, or a lost one if damage may
  // have taken older messages; that one comes below, too, where those may be wanted. Behind its
  // next: what is before `offset` will be passed over. kInvalidArgument without a stream, here and
  // for the offsets below.
  [[nodiscard]] Result<> seek_offset(Offset offset);
  // The first message that was received at this time or later; all behind it follow, whatever their
  // time.
  [[nodiscard]] Result<> seek_time(UnixNanos time);
  // The last `count` messages that are durable now.
  [[nodiscard]] Result<> seek_last(std::uint64_t count);

  // The views of a record are valid until the next call of any but refresh(). An error: the drive
  // gives nothing at all; the call may be repeated.
  [[nodiscard]] Result<Item> next();

  // The live edge moved. Segments taken or retired meanwhile are noticed when they matter.
  void refresh(const LogEnd& end);

  // Of the stream: its first offset that is kept, and the one its next message gets.
  [[nodiscard]] Result<Offset> first_offset();
  [[nodiscard]] Result<Offset> next_offset();

 private:
  // log_reader.cc: messages, then blocks, then segments.
  [[nodiscard]] std::optional<Record> next_in_block();
  void open_run(std::span<const std::byte> bytes);
  [[nodiscard]] Result<bool> next_block();
  [[nodiscard]] bool may_be_void() const;
  [[nodiscard]] Result<> read_block();
  [[nodiscard]] Result<std::optional<SegmentScan::Found>> look();
  void take(const SegmentScan::Found& found);
  [[nodiscard]] Result<> handle_bad_block();
  [[nodiscard]] Result<> pass_bad_block();
  [[nodiscard]] bool ends_here(std::uint32_t page) const;
  [[nodiscard]] Result<> go_on_behind_trimmed();
  [[nodiscard]] Result<> enter();
  void skip_by_index();
  [[nodiscard]] Result<> leave();
  [[nodiscard]] Result<bool> learn_newer();
  [[nodiscard]] BlockSequence limit() const;

  // log_seek.cc
  void start_at(std::size_t segment);
  [[nodiscard]] std::string why_lost_in_front() const;
  [[nodiscard]] Result<> need_stream() const;
  [[nodiscard]] Result<> need_current_list();
  [[nodiscard]] Result<std::optional<PartitionEntry>> partition_in(std::size_t segment);
  [[nodiscard]] Result<std::size_t> segment_of(Offset offset);
  [[nodiscard]] Result<std::uint64_t> count_from(std::size_t segment);

  Volume& volume_;
  LogNumber log_;
  std::optional<StreamId> stream_;
  SegmentList list_;
  LogEnd end_;
  bool lost_in_front_;
  bool list_stale_ = true;       // the end moved since the slots were looked at ...
  BlockSequence listed_to_{0};   // ... when blocks before this one were durable
  bool window_stale_ = false;    // the end moved since the scan read ahead ...
  BlockSequence stale_from_{0};  // ... when only blocks before this one were durable

  // Where it stands. wanted_: blocks before it are passed over.
  BlockSequence wanted_{0};
  std::size_t current_ = 0;          // segment; list_.size(): behind the last one known
  std::optional<SegmentScan> scan_;  // of the current segment, once entered
  std::optional<SegmentIndex> index_;
  BlockSequence at_{0};               // the block at the scan's position
  std::optional<std::uint32_t> crc_;  // of the block before it, if known
  bool joined_ = true;      // false: at_ or a later one lies somewhere behind the position
  std::uint64_t stop_ = 0;  // nothing of the stream lies behind it in this segment

  // In a block.
  std::optional<BlockReader> block_;
  std::optional<RunReader> run_;
  StreamId run_stream_;
  Offset run_next_;

  GapTracker gaps_;
  std::optional<UnixNanos> from_time_;  // messages before it are passed over until one is not
  std::uint64_t skip_ = 0;              // messages
};

}  // namespace penstock
