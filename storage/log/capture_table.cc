#include "storage/log/capture_table.h"

#include <algorithm>

#include "base/check.h"

namespace penstock {
namespace {

std::uint64_t hash_of(std::span<const StreamId> streams) {
  constexpr std::uint64_t kMultiplier = 0xD6E8FEB86659FD93;  // odd, and with as many ones as zeros
  std::uint64_t hash = streams.size();
  for (const StreamId stream : streams) hash = fold(hash ^ stream.value, kMultiplier);
  return hash;
}

}  // namespace

CaptureTable::CaptureTable() {
  partitions_.reserve(kPartitionsMax);
  sets_.reserve(kSetsMax);
}

std::optional<std::uint32_t> CaptureTable::add_partition(StreamId stream, Offset next_offset) {
  const auto known = partition_index_.find(
      stream.value, [&](std::uint32_t number) { return partitions_[number].stream == stream; });
  if (known) return known;
  if (partitions_.size() == kPartitionsMax) return std::nullopt;
  Partition partition{};
  partition.stream = stream;
  partition.next_offset = next_offset;
  partition.placed_offset = next_offset;
  partition.durable_offset = next_offset;
  partition.first_offset = next_offset;
  const auto number = static_cast<std::uint32_t>(partitions_.size());
  partitions_.push_back(partition);
  partition_index_.add(stream.value, number);
  return number;
}

std::optional<CaptureSetId> CaptureTable::add_set(std::span<const StreamId> streams) {
  CHECK(!streams.empty() && streams.size() <= kCapturesMax);
  const std::uint64_t hash = hash_of(streams);
  const auto known = set_index_.find(hash, [&](std::uint32_t number) {
    return std::ranges::equal(partitions_of(CaptureSetId(number)), streams, {},
                              [&](std::uint32_t i) { return partitions_[i].stream; });
  });
  if (known) return CaptureSetId(*known);
  if (sets_.size() == kSetsMax) return std::nullopt;
  Set set;
  for (const StreamId stream : streams) {
    const auto partition = add_partition(stream, new_offset_);
    if (!partition) return std::nullopt;
    set.partitions[set.size++] = *partition;
  }
  const auto number = static_cast<std::uint32_t>(sets_.size());
  sets_.push_back(set);
  set_index_.add(hash, number);
  return CaptureSetId(number);
}

}  // namespace penstock
