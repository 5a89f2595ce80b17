#include "storage/log/block_builder.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/copy_past_caches.h"

namespace penstock {

void BlockBuilder::start(Block* block) {
  CHECK(block_ == nullptr);
  block_ = block;
  data_ = block->bytes.data();
  at_ = sizeof(BlockHeader);
  limit_ = block->bytes.size();
  run_open_ = false;
  run_ = {};
  block->header.first_received_ns = std::numeric_limits<std::int64_t>::max();
  block->header.last_received_ns = std::numeric_limits<std::int64_t>::min();
}

MessageCount BlockBuilder::count() const {
  if (block_ == nullptr) return {};
  return {block_->total.messages + run_.messages, block_->total.bytes + run_.payload_bytes};
}

bool BlockBuilder::fits_empty(CaptureSetId set, const MessageView& message,
                              std::size_t block_bytes) const {
  return sizeof(BlockHeader) + run_head_bytes(captures_.partitions_of(set).size()) +
             message_bytes(message.subject.size(), message.key.size(), message.headers.size(),
                           message.payload.size()) <=
         block_bytes;
}

bool BlockBuilder::fits_empty(CaptureSetId set, const ProducerRun& run,
                              std::size_t block_bytes) const {
  return sizeof(BlockHeader) + run_head_bytes(captures_.partitions_of(set).size(), kRunOfProducer) +
             run.messages.size() <=
         block_bytes;
}

bool BlockBuilder::append_run(CaptureSetId set, std::size_t origin, const ProducerRun& run) {
  close_run();
  const std::size_t head = run_head_bytes(captures_.partitions_of(set).size(), kRunOfProducer);
  if (head + run.messages.size() > limit_ - at_ || block_->notes == block_->run_notes.size()) {
    return false;
  }
  run_ = {.set = set,
          .at = at_,
          .base = run.received.value,
          .last = run.received.value,
          .messages = run.message_count,
          .payload_bytes = run.payload_bytes,
          .producer = run.producer,
          .sequence = run.sequence,
          .late = run.sequence < producers_.at(run.producer).next};
  run_open_ = true;
  copy_run(data_ + at_ + head, run.messages);
  at_ += head + run.messages.size();
  MessageCount& count = block_->origins[origin];
  count.messages += run.message_count;
  count.bytes += run.payload_bytes;
  const std::uint64_t end = run.sequence + run.message_count;
  if (run_.late) {
    run_.passed = producers_.append_late(run.producer, end, run.received);
  } else {
    producers_.append(run.producer, run.sequence, end, run.received);
  }
  close_run();
  return true;
}

void BlockBuilder::copy_run(std::byte* to, std::span<const std::byte> messages) {
  if (drive_reads_) return copy_past_caches(to, messages);
  prefetch(to, messages.size());
  std::memcpy(to, messages.data(), messages.size());
}

bool BlockBuilder::append_to_new_run(CaptureSetId set, std::size_t origin,
                                     const MessageView& message) {
  close_run();
  const std::size_t head = run_head_bytes(captures_.partitions_of(set).size());
  const std::size_t bytes = message_bytes(message.subject.size(), message.key.size(),
                                          message.headers.size(), message.payload.size());
  if (head + bytes > limit_ - at_ || block_->notes == block_->run_notes.size()) return false;
  open_run(set, message.received);
  lay_out(message, false, bytes, 0);
  count_in(origin, message);
  return true;
}

void BlockBuilder::open_run(CaptureSetId set, UnixNanos base) {
  run_ = {.set = set, .at = at_, .base = base.value, .last = base.value};
  run_open_ = true;
  at_ += run_head_bytes(captures_.partitions_of(set).size());
  subject_ = {};
}

void BlockBuilder::close_run() {
  if (!run_open_) return;
  CHECK_GT(run_.messages, 0U);
  run_open_ = false;
  put_head();
  block_->run_notes[block_->notes++] = {
      .set = run_.set,
      .messages = run_.messages,
      .payload_bytes = static_cast<std::uint32_t>(run_.payload_bytes),
      .producer = run_.passed ? kNoProducer : run_.producer,
      .producer_end = run_.late ? 0 : run_.sequence + run_.messages};
  block_->total.messages += run_.messages;
  block_->total.bytes += run_.payload_bytes;
  BlockHeader& of_block = block_->header;
  of_block.first_received_ns = std::min(of_block.first_received_ns, run_.base);
  of_block.last_received_ns = std::max(of_block.last_received_ns, run_.last);
  ++of_block.run_count;
  run_ = {};
}

void BlockBuilder::put_head() {
  const auto partitions = captures_.partitions_of(run_.set);
  RunHeader header{};
  header.length = static_cast<std::uint32_t>(at_ - run_.at);
  header.message_count = run_.messages;
  header.base_time_ns = run_.base;
  header.capture_count = static_cast<std::uint16_t>(partitions.size());
  const bool of_producer = run_.producer != kNoProducer;  // else its messages came one by one
  if (of_producer) header.flags = kRunOfProducer;
  if (run_.passed) header.flags |= kRunLate;
  store(block_->bytes, run_.at, header);
  std::size_t at = run_.at + sizeof header;
  if (of_producer) {
    store(block_->bytes, at,
          RunProducer{producers_.at(run_.producer).session.value, run_.sequence});
    at += sizeof(RunProducer);
  }
  for (const std::uint32_t number : partitions) {
    Partition& partition = captures_.at(number);
    store(block_->bytes, at, Capture{partition.stream.value, partition.next_offset.value});
    partition.next_offset += run_.messages;
    at += sizeof(Capture);
  }
}

Block* BlockBuilder::finish() {
  CHECK(block_ != nullptr);
  close_run();
  if (drive_reads_) order_copies();
  BlockHeader& header = block_->header;
  header.used = static_cast<std::uint32_t>(at_);
  header.length = align_up(header.used, kPageBytes);
  header.message_count = static_cast<std::uint32_t>(block_->total.messages);
  if (header.message_count == 0) header.first_received_ns = header.last_received_ns = 0;
  return std::exchange(block_, nullptr);
}

}  // namespace penstock
