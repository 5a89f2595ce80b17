#include "storage/format/block.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/crc32c.h"

namespace penstock {
namespace {

constexpr std::size_t kCrcFrom = offsetof(BlockHeader, version);  // magic and crc are not under the
                                                                  // crc

bool lengths_agree(const BlockHeader& header, std::size_t available) {
  return header.header_bytes == sizeof(BlockHeader) && header.length % kPageBytes == 0 &&
         header.length >= kPageBytes && header.length <= kBlockBytesMax &&
         header.length <= available && header.used >= sizeof(BlockHeader) &&
         header.used <= header.length;
}

// Whether the runs fill the block exactly and say what the header says.
bool runs_agree(std::span<const std::byte> block, const BlockHeader& header) {
  std::size_t at = sizeof(BlockHeader);
  std::uint64_t messages = 0;
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  std::int64_t last = std::numeric_limits<std::int64_t>::min();
  for (std::uint32_t i = 0; i < header.run_count; ++i) {
    RunReader run(block.subspan(at, header.used - at));
    while (const auto message = run.next()) {
      first = std::min(first, message->received.value);
      last = std::max(last, message->received.value);
    }
    if (!run.ok()) return false;
    messages += run.header().message_count;
    at += run.length();
  }
  const bool times_agree =
      messages == 0 ? header.first_received_ns == 0 && header.last_received_ns == 0
                    : header.first_received_ns == first && header.last_received_ns == last;
  return at == header.used && messages == header.message_count && times_agree &&
         all_zero(block.subspan(header.used, header.length - header.used));
}

}  // namespace

std::string_view to_string(BlockFault fault) {
  switch (fault) {
    case BlockFault::kNone: return "none";
    case BlockFault::kNeverWritten: return "never written";
    case BlockFault::kUnreadable: return "the drive does not give its bytes";
    case BlockFault::kBadMagic: return "bad magic";
    case BlockFault::kBadVersion: return "bad version";
    case BlockFault::kBadLength: return "bad length";
    case BlockFault::kBadChecksum: return "bad checksum";
    case BlockFault::kWrongVolume: return "wrong volume";
    case BlockFault::kWrongGeneration: return "wrong generation";
    case BlockFault::kWrongPosition: return "wrong position";
    case BlockFault::kBadRun: return "bad run";
  }
  return "unknown";
}

BlockFault check_block(std::span<const std::byte> bytes, const BlockPlace& place) {
  if (bytes.size() < kPageBytes) return BlockFault::kBadLength;
  const auto header = load<BlockHeader>(bytes);
  if (header.magic != kBlockMagic) {
    return all_zero(bytes.first(kPageBytes)) ? BlockFault::kNeverWritten : BlockFault::kBadMagic;
  }
  if (header.version != kFormatVersion) return BlockFault::kBadVersion;
  if (!lengths_agree(header, bytes.size())) return BlockFault::kBadLength;
  const auto block = bytes.first(header.length);
  if (crc32c(block.subspan(kCrcFrom)) != header.crc) return BlockFault::kBadChecksum;
  // Whole, so what it says of itself is true: is it where it says?
  if (header.volume != place.volume || header.log != place.log.value) {
    return BlockFault::kWrongVolume;
  }
  if (header.generation != place.generation.value) return BlockFault::kWrongGeneration;
  if (header.position != place.position) return BlockFault::kWrongPosition;
  return runs_agree(block, header) ? BlockFault::kNone : BlockFault::kBadRun;
}

std::uint32_t finish_block(std::span<std::byte> block, BlockHeader header) {
  CHECK_LE(header.length, block.size());
  CHECK_LE(header.used, header.length);
  header.magic = kBlockMagic;
  header.version = kFormatVersion;
  header.header_bytes = sizeof(BlockHeader);
  header.crc = 0;
  std::memset(block.data() + header.used, 0, header.length - header.used);
  store(block, 0, header);
  header.crc = crc32c(block.subspan(kCrcFrom, header.length - kCrcFrom));
  store(block, offsetof(BlockHeader, crc), header.crc);
  return header.crc;
}

BlockReader::BlockReader(std::span<const std::byte> block)
    : block_(block), header_(load<BlockHeader>(block)) {}

std::span<const std::byte> BlockReader::next_run() {
  if (seen_ == header_.run_count) return {};
  ++seen_;
  const auto rest = block_.subspan(at_, header_.used - at_);
  const auto run = rest.first(load<RunHeader>(rest).length);
  at_ += run.size();
  return run;
}

}  // namespace penstock
