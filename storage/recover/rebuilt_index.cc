#include "storage/recover/rebuilt_index.h"

#include <algorithm>

namespace penstock {

void RebuiltIndex::add(const SegmentScan::Found& found) {
  const BlockHeader& header = found.header;
  const auto number = static_cast<std::uint32_t>(index_.blocks.size());
  index_.blocks.push_back({found.position, header.length / kPageBytes, header.message_count,
                           header.crc, header.first_received_ns, header.last_received_ns});
  BlockReader block(found.bytes);
  for (auto bytes = block.next_run(); !bytes.empty(); bytes = block.next_run()) {
    add_run(RunReader(bytes), number);
  }
}

void RebuiltIndex::add_run(RunReader run, std::uint32_t block) {
  std::uint64_t payload = 0;
  while (const auto message = run.next()) payload += message->payload.size();
  payload_bytes_ += payload;
  for (std::size_t i = 0; i < run.header().capture_count; ++i) {
    const Capture capture = run.capture(i);
    const auto [at, fresh] = place_of_stream_.try_emplace(capture.stream, index_.partitions.size());
    if (fresh) {
      index_.partitions.push_back({.stream = capture.stream,
                                   .first_offset = capture.base_offset,
                                   .next_offset = 0,
                                   .payload_bytes = 0,
                                   .first_block = block,
                                   .last_block = block});
    }
    PartitionEntry& partition = index_.partitions[at->second];
    partition.next_offset = capture.base_offset + run.header().message_count;
    partition.payload_bytes += payload;
    partition.last_block = block;
  }
  add_producer(run);
}

void RebuiltIndex::add_producer(const RunReader& run) {
  if (!run.producer()) return;
  const auto [session, sequence] = *run.producer();
  const std::uint64_t end = sequence + run.header().message_count;
  const std::int64_t now = run.header().base_time_ns;
  begun_.try_emplace(session, sequence);
  if (run.is_late()) {
    ProducerEntry& late = late_[session];
    late = {.session = session,
            .next_sequence = std::max(late.next_sequence, end),
            .last_used_ns = use_behind(late.last_used_ns, now)};
    return;
  }
  late_.erase(session);
  const auto [at, fresh] = place_of_session_.try_emplace(session, index_.producers.size());
  if (fresh) index_.producers.push_back({.session = session});
  ProducerEntry& producer = index_.producers[at->second];
  producer.next_sequence = end;
  producer.last_used_ns = use_behind(producer.last_used_ns, now);
}

}  // namespace penstock
