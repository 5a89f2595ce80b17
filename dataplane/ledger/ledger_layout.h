// How the parts of a ledger file lie in it: what its writer and its readers share.
#pragma once

#include "dataplane/ledger/ledger_file.h"

namespace penstock {

inline constexpr std::uint64_t kLedgerMagic = 0x52474C4B54534E50;  // "PNSTKLGR"
inline constexpr std::uint32_t kLedgerVersion = 2;
inline constexpr std::size_t kAreaAlign = 64;  // parts of different threads share no cache line

// Changes whenever a field is added anywhere.
inline constexpr std::uint32_t kLedgerLayout = static_cast<std::uint32_t>(
    sizeof(PortAccount) * 1'000'003 + sizeof(FrameAccount) * 100'003 +
    sizeof(MessageAccount) * 10'007 + sizeof(ShardGauges) * 101 + sizeof(LogEdge) * 11 +
    sizeof(DeviceGauges) * 7 + sizeof(VolumeGauges));

// An area in the file: the sequence in a line of its own, then the two copies of the accounts.
struct AreaLayout {
  std::size_t at;
  std::size_t payload_bytes;
};
struct AreaHead {
  std::uint64_t sequence;
  std::uint64_t payload_bytes;
  std::byte pad[kAreaAlign - 16];
};
static_assert(sizeof(AreaHead) == kAreaAlign);

// Behind the areas: the streams' names, and each shard's books of them.
struct StreamLayout {
  std::size_t at = 0;
  std::size_t places = 0;
  std::size_t shards = 0;

  [[nodiscard]] std::size_t books_at(std::size_t shard) const {
    return at + align_up(places * sizeof(StreamName), kAreaAlign) +
           shard * align_up(places * sizeof(StreamBook), kAreaAlign);
  }
  [[nodiscard]] std::size_t end() const { return books_at(shards); }
};

}  // namespace penstock
