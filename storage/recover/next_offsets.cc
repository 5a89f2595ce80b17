#include "storage/recover/next_offsets.h"

#include <algorithm>

#include "storage/recover/given_away.h"
#include "storage/recover/rebuilt_index.h"

namespace penstock {
namespace {

// As many messages as fit at most.
constexpr std::uint64_t kPageMessagesMax = kPageBytes / sizeof(MessageHeader);
constexpr std::uint64_t kBlockMessagesMax = kBlockBytesMax / sizeof(MessageHeader);
// More than any log ever has: offsets do not wrap.
constexpr std::uint64_t kBlocksMax = std::uint64_t{1} << 40U;

}  // namespace

void NextOffsets::know(const SegmentIndex& index) {
  for (const PartitionEntry& partition : index.partitions) {
    offsets_[partition.stream] = partition.next_offset;
  }
  for (const ProducerEntry& producer : index.producers) use(producer);
}

void NextOffsets::use(const ProducerEntry& entry) {
  ProducerEntry& known = producers_[entry.session];
  const std::int64_t used = use_behind(known.last_used_ns, entry.last_used_ns);
  known = entry;
  known.last_used_ns = used;
}

void NextOffsets::lose_pages(std::size_t blocks, std::uint64_t pages) {
  holes_.push_back({blocks, pages * kPageMessagesMax});
}

void NextOffsets::lose_blocks(std::size_t blocks, std::uint64_t count) {
  holes_.push_back({blocks, std::min(count, kBlocksMax) * kBlockMessagesMax});
}

void NextOffsets::take(const RebuiltIndex& read) {
  const SegmentIndex& contents = read.index();
  know(contents);
  for (const auto& [session, late] : read.late()) {
    const auto known = producers_.find(session);
    if (known == producers_.end() || known->second.next_sequence < late.next_sequence) use(late);
  }
  for (const auto& [session, sequence] : read.begun()) begun_.try_emplace(session, sequence);
  std::map<std::uint64_t, std::size_t> blocks;  // up to the last one that has the stream
  for (const PartitionEntry& partition : contents.partitions) {
    blocks[partition.stream] = partition.last_block + 1;
  }
  for (const Hole& hole : holes_) {
    for (auto& [stream, next] : offsets_) {
      if (blocks[stream] <= hole.blocks_before) next += hole.messages_max;
    }
    new_partitions_ += hole.messages_max;
  }
  holes_.clear();
}

void NextOffsets::skip_pages(std::uint64_t pages) {
  for (auto& [stream, next] : offsets_) next += pages * kPageMessagesMax;
  new_partitions_ += pages * kPageMessagesMax;
}

void NextOffsets::raise(const std::map<std::uint64_t, std::uint64_t>& others) {
  raise_offsets(offsets_, others);
}

void NextOffsets::fill(LogStart& start) const {
  for (const auto& [stream, next] : offsets_) {
    start.partitions.push_back({StreamId(stream), Offset(next)});
  }
  start.new_partitions = Offset(new_partitions_);
  for (const auto& [session, entry] : producers_) {
    LogStart::Producer& producer = start.producers.emplace_back(
        SessionNumber(session), entry.next_sequence, UnixNanos(entry.last_used_ns));
    if (const auto at = begun_.find(session); at != begun_.end()) producer.begun = at->second;
  }
  std::ranges::stable_sort(start.producers, {}, &LogStart::Producer::last_used);
}

}  // namespace penstock
