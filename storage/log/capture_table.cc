#include "storage/log/capture_table.h"

#include <algorithm>

#include <fmt/format.h>

namespace penstock {

CaptureTable::CaptureTable() {
  partitions_.reserve(kPartitionsMax);
  sets_.reserve(kSetsMax);
}

Result<std::uint32_t> CaptureTable::add_partition(StreamId stream, Offset next_offset) {
  const auto found = std::ranges::find(partitions_, stream, &Partition::stream);
  if (found != partitions_.end()) {
    return static_cast<std::uint32_t>(found - partitions_.begin());
  }
  if (partitions_.size() == kPartitionsMax) {
    return fail(Errc::kNoSpace, fmt::format("a log holds at most {} streams", kPartitionsMax));
  }
  Partition partition{};
  partition.stream = stream;
  partition.next_offset = next_offset;
  partition.placed_offset = next_offset;
  partition.durable_offset = next_offset;
  partition.first_offset = next_offset;
  partitions_.push_back(partition);
  return static_cast<std::uint32_t>(partitions_.size() - 1);
}

Result<CaptureSetId> CaptureTable::add_set(std::span<const StreamId> streams) {
  if (streams.empty() || streams.size() > kCapturesMax) {
    return fail(Errc::kInvalidArgument,
                fmt::format("a message is captured by {} streams; 1 to {} are possible",
                            streams.size(), kCapturesMax));
  }
  for (CaptureSetId known{0}; known.value < sets_.size(); ++known) {
    if (std::ranges::equal(streams_of(known), streams)) return known;
  }
  if (sets_.size() == kSetsMax) {
    return fail(Errc::kNoSpace, fmt::format("more than {} combinations of streams", kSetsMax));
  }
  Set set;
  for (const StreamId stream : streams) {
    auto partition = add_partition(stream, new_offset_);
    if (!partition) return std::unexpected(std::move(partition.error()));
    set.streams[set.size] = stream;
    set.partitions[set.size++] = *partition;
  }
  sets_.push_back(set);
  return CaptureSetId(static_cast<std::uint32_t>(sets_.size() - 1));
}

}  // namespace penstock
