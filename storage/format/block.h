// A block: the unit of writing. A multiple of 4 KiB, self-describing, bound to its place.
//
//   BlockHeader | run * run_count | zeros up to length
//
// It is data only if its magic and checksum hold AND its volume, log, generation, position,
// sequence and predecessor are those of the place it was read from: a stale block of a recycled
// segment, a torn one and one copied elsewhere all fail.
#pragma once

#include "base/result.h"
#include "storage/format/run.h"

namespace penstock {

inline constexpr std::uint32_t kBlockMagic = 0x4B4C4250;  // "PBLK"

struct BlockHeader {
  std::uint32_t magic;
  std::uint32_t crc;  // CRC32C of bytes [8, length)
  std::uint16_t version;
  std::uint16_t header_bytes;  // sizeof(BlockHeader)
  std::uint32_t length;        // of the whole block: a multiple of kPageBytes
  std::uint32_t used;          // bytes up to the end of the last run; zeros follow
  std::uint32_t run_count;
  std::uint32_t message_count;
  std::uint32_t log;  // LogNumber
  VolumeId volume;
  std::uint64_t generation;        // of the segment it was written to
  std::uint64_t sequence;          // BlockSequence: counts up by one within the log
  std::uint64_t durable_sequence;  // blocks with a smaller sequence were durable when this was
                                   // sealed
  std::uint32_t position;          // pages from the start of its segment
  std::uint32_t previous_crc;      // crc of the block before it in the log; 0 for the log's first
  std::int64_t first_received_ns;  // earliest and latest message; 0 in a block without messages
  std::int64_t last_received_ns;
};
static_assert(sizeof(BlockHeader) == 96);
static_assert(std::has_unique_object_representations_v<BlockHeader>);

inline constexpr std::uint32_t kBlockBytesMin = 16 * 1024;
inline constexpr std::uint32_t kBlockBytesMax = 8 * 1024 * 1024;

// Where a block must be to be data.
struct BlockPlace {
  VolumeId volume;
  LogNumber log;
  Generation generation;
  std::uint32_t position;  // pages from the start of the segment
};

// What is wrong with a would-be block. Each name is a diagnosis.
enum class BlockFault : std::uint8_t {
  kNone,
  kNeverWritten,     // the first page is all zeros
  kUnreadable,       // the drive does not give its bytes
  kBadMagic,         // not a block
  kBadVersion,       // a block of another format version
  kBadLength,        // lengths contradict each other or leave the segment
  kBadChecksum,      // torn or rotten
  kWrongVolume,      // copied from another volume or log
  kWrongGeneration,  // left from an earlier use of the segment
  kWrongPosition,    // written to the wrong place within the segment
  kBadRun,           // checksum holds, but a run's lengths contradict each other
};
[[nodiscard]] std::string_view to_string(BlockFault fault);

// Checks everything but the chain (sequence, previous_crc), which needs the block before it.
// `bytes` begins at the block and may be longer. On kNone, load<BlockHeader>(bytes) can be trusted.
[[nodiscard]] BlockFault check_block(std::span<const std::byte> bytes, const BlockPlace& place);

// Whether `next` follows `previous` in the log.
[[nodiscard]] inline bool follows(const BlockHeader& previous, const BlockHeader& next) {
  return next.sequence == previous.sequence + 1 && next.previous_crc == previous.crc;
}

// Fills in magic, version, header_bytes and crc, zeroes [used, length) and stores the header at the
// front of `block`. Everything else in `header` is the caller's. block.size() >= header.length.
// Returns the checksum.
std::uint32_t finish_block(std::span<std::byte> block, BlockHeader header);

// Walks the runs of a checked block.
class BlockReader {
 public:
  explicit BlockReader(std::span<const std::byte> block);
  [[nodiscard]] const BlockHeader& header() const { return header_; }
  // Bytes of the next run, or an empty span at the end.
  [[nodiscard]] std::span<const std::byte> next_run();

 private:
  std::span<const std::byte> block_;
  BlockHeader header_;
  std::size_t at_ = sizeof(BlockHeader);
  std::uint32_t seen_ = 0;
};

}  // namespace penstock
