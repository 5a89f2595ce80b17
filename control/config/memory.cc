// What a configuration takes of the host's memory.
#include <algorithm>

#include "control/config/ports.h"
#include "dataplane/door/pdp/node/session.h"
#include "dataplane/ledger/stream_books.h"
#include "storage/format/segment.h"
#include "storage/log/block_pool.h"

namespace penstock {
namespace {

// Beside its data: an mbuf's header, its headroom, its share of the pool's caches and padding.
constexpr std::uint64_t kBytesPerBuffer = 512;
// DPDK's own tables, device state and rings, each queue's descriptors.
constexpr std::uint64_t kDpdkTables = 12 * kMiB;

// Programs and libraries, DPDK's fixed tables, the allocator's reserves, threads' stacks.
constexpr std::uint64_t kProcessBytes = 96 * kMiB;
// A shard's stack, capture tables, ledger and door map.
constexpr std::uint64_t kShardBytes = 8 * kMiB;
constexpr std::uint64_t kDoorBytes = 2 * kMiB;  // its cache of routes
// Of each shard: its books, in memory and in the ledger.
constexpr std::uint64_t kBytesPerStream = sizeof(StreamBook) + sizeof(MessageAccount);
// In the tree of filters while it is made, with its tokens; of all shards together.
constexpr std::uint64_t kBytesPerFilter = 1024;
constexpr std::uint64_t kBytesPerFragment = 512;

// The index of the segment being filled and of the one being closed, and the pages they are laid
// out in.
std::uint64_t index_memory(const VolumeConfig& volume) {
  const std::uint64_t blocks = volume.segment_bytes / kPageBytes;  // lingering ones are short
  return 4 * blocks * sizeof(IndexEntry) + 2 * volume.block_bytes + 2 * kMiB;
}

// Of a door that speaks PDP, on each shard.
std::uint64_t pdp_memory(const PdpConfig& pdp) {
  const std::uint64_t each_open = sizeof(pdp::Session) + 4 * sizeof(std::uint32_t);
  return pdp.sessions * each_open +
         pdp.remembered * (ProducerTable::kBytesEach + 2 * sizeof(ProducerEntry)) + pdp.hold +
         kDoorBytes;
}

}  // namespace

std::size_t stream_room(const Config& config) {
  constexpr std::size_t kLeast = 1024;
  return std::clamp(2 * config.streams.size(), kLeast, kStreamPlacesMax);
}

std::uint64_t packet_memory(const Config& config) {
  std::uint64_t bytes = kDpdkTables;
  for (const PortConfig& port : config.ports) {
    const std::uint64_t room = device_of(port, config).value().buffer_bytes;
    bytes += shards_of(port, config).size() * port.buffers * (room + kBytesPerBuffer);
  }
  return bytes;
}

std::uint64_t memory_bound(const Config& config) {
  std::uint64_t bytes = kProcessBytes + config.dpdk.memory;
  for (const PortConfig& port : config.ports) {
    bytes += shards_of(port, config).size() * port.fragments * kBytesPerFragment;
  }
  bytes += stream_room(config) * sizeof(StreamName);
  for (const StreamConfig& stream : config.streams) {
    bytes += stream.subjects.size() * kBytesPerFilter;
  }
  for (const ShardConfig& shard : config.shards) {
    bytes += kShardBytes + config.doors.size() * kDoorBytes;
    bytes += stream_room(config) * kBytesPerStream;
    for (const DoorConfig& door : config.doors) {
      if (door.kind == DoorKind::kPdp) bytes += pdp_memory(door.pdp);
    }
    for (const VolumeConfig& volume : config.volumes) {
      if (volume.name != shard.volume) continue;
      bytes +=
          volume.memory + volume.memory / kBytesPerNote * sizeof(RunNote) + index_memory(volume);
    }
  }
  return bytes;
}

}  // namespace penstock
