#include "storage/recover/segment_contents.h"

#include <algorithm>
#include <set>

namespace penstock {

bool OffsetTrack::advance(const Capture& capture, std::uint32_t messages) {
  const Next after{capture.base_offset + messages, true};
  const auto [at, fresh] = streams_.try_emplace(capture.stream, after);
  if (fresh) return true;
  const bool follows = at->second.sure ? capture.base_offset == at->second.offset
                                       : capture.base_offset >= at->second.offset;
  at->second = after;
  return follows;
}

void OffsetTrack::doubt() {
  for (auto& [stream, next] : streams_) next.sure = false;
}

bool SegmentContents::add(const SegmentScan::Found& found) {
  const BlockHeader& header = found.header;
  messages_ += header.message_count;
  last_crc_ = header.crc;
  if (header.message_count != 0) {
    first_received_ = std::min(first_received_, header.first_received_ns);
    last_received_ = std::max(last_received_, header.last_received_ns);
  }
  bool in_order = true;
  BlockReader block(found.bytes);
  for (auto bytes = block.next_run(); !bytes.empty(); bytes = block.next_run()) {
    in_order &= add_run(RunReader(bytes), blocks_);
  }
  ++blocks_;
  return in_order;
}

bool SegmentContents::add_run(RunReader run, std::uint32_t block) {
  std::uint64_t payload = 0;
  while (const auto message = run.next()) payload += message->payload.size();
  payload_bytes_ += payload;
  if (const auto& producer = run.producer(); producer && !run.is_late()) {
    producers_[producer->session] = producer->sequence + run.header().message_count;
  }
  bool in_order = true;
  for (std::size_t i = 0; i < run.header().capture_count; ++i) {
    const Capture capture = run.capture(i);
    in_order &= offsets_.advance(capture, run.header().message_count);
    const PartitionEntry fresh{.stream = capture.stream,
                               .first_offset = capture.base_offset,
                               .next_offset = 0,
                               .payload_bytes = 0,
                               .first_block = block,
                               .last_block = block};
    PartitionEntry& partition = partitions_.try_emplace(capture.stream, fresh).first->second;
    partition.next_offset = capture.base_offset + run.header().message_count;
    partition.payload_bytes += payload;
    partition.last_block = block;
  }
  return in_order;
}

bool SegmentContents::agree_with(const PartitionEntry& entry) const {
  const auto found = partitions_.find(entry.stream);
  if (found == partitions_.end()) {
    return entry.first_offset == entry.next_offset && entry.payload_bytes == 0;
  }
  const PartitionEntry& held = found->second;
  return entry.first_offset == held.first_offset && entry.next_offset == held.next_offset &&
         entry.payload_bytes == held.payload_bytes && entry.first_block == held.first_block &&
         entry.last_block == held.last_block;
}

bool SegmentContents::all_in(const std::vector<PartitionEntry>& entries) const {
  return std::ranges::all_of(partitions_, [&](const auto& held) {
    return std::ranges::find(entries, held.first, &PartitionEntry::stream) != entries.end();
  });
}

bool SegmentContents::agree_with(const ProducerEntry& entry) const {
  const auto found = producers_.find(entry.session);
  return found == producers_.end() || found->second <= entry.next_sequence;
}

std::uint64_t SegmentContents::not_in(const std::vector<ProducerEntry>& entries) const {
  std::set<std::uint64_t> known;
  for (const ProducerEntry& entry : entries) known.insert(entry.session);
  return static_cast<std::uint64_t>(std::ranges::count_if(
      producers_, [&](const auto& held) { return !known.contains(held.first); }));
}

bool SegmentContents::agree_with(const SegmentFooter& footer) const {
  const bool none = messages_ == 0;
  return footer.block_count == blocks_ && footer.message_count == messages_ &&
         footer.payload_bytes == payload_bytes_ && footer.last_crc == last_crc_ &&
         footer.first_received_ns == (none ? 0 : first_received_) &&
         footer.last_received_ns == (none ? 0 : last_received_);
}

bool agree(const IndexEntry& entry, const BlockHeader& header) {
  return entry.pages == header.length / kPageBytes && entry.crc == header.crc &&
         entry.message_count == header.message_count &&
         entry.first_received_ns == header.first_received_ns &&
         entry.last_received_ns == header.last_received_ns;
}

}  // namespace penstock
