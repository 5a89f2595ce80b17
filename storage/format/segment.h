// A segment: a slot of fixed size that a log fills from front to back.
//
//   SegmentHeader (one page) | block | block | ... | index, zero padded | SegmentFooter (last page)
//
// The header is written when the log takes the slot, index and footer when the segment is closed.
// In a closed segment every byte is covered: the bytes from the last block to the footer are the
// index and zeros, under index_crc. A footer whose generation is not the header's is in the wrong
// place and counts as none.
#pragma once

#include <vector>

#include "base/result.h"
#include "storage/format/block.h"

namespace penstock {

inline constexpr std::uint64_t kSegmentHeaderMagic = magic64("PNSTKSEG");
inline constexpr std::uint64_t kSegmentFooterMagic = magic64("PNSTKEND");
inline constexpr std::uint64_t kSegmentBytesMin = 1 * kMiB;
inline constexpr std::uint64_t kSegmentBytesMax = 8 * kGiB;

enum class SlotState : std::uint32_t {
  kFree = 1,  // holds nothing: never used, or retired; its footer page is not a footer
  kUsed = 2,  // holds a segment of `log`
};

struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t crc;  // CRC32C of the page with this field zero
  std::uint32_t version;
  VolumeId volume;
  std::uint32_t log;  // LogNumber
  std::uint32_t slot;
  SlotState state;
  std::uint32_t previous_crc;     // crc of the log's block before base_sequence: chains segments
  std::uint64_t generation;       // 0 in a free slot
  std::uint64_t sequence;         // SegmentSequence within the log
  std::uint64_t base_sequence;    // BlockSequence of its first block; blocks of earlier segments of
                                  // the log with this sequence or a later one were rewritten here:
                                  // void
  std::uint64_t oldest_sequence;  // oldest SegmentSequence that the log still kept when this was
                                  // made
  std::uint64_t segment_bytes;
  std::int64_t created_ns;
};
static_assert(sizeof(SegmentHeader) == 96);
static_assert(std::has_unique_object_representations_v<SegmentHeader>);

// One block of a closed segment, in order; sequences count up from the header's base_sequence.
struct IndexEntry {
  std::uint32_t position;  // pages from the start of the segment
  std::uint32_t pages;     // length of the block
  std::uint32_t message_count;
  std::uint32_t crc;  // the block's
  std::int64_t first_received_ns;
  std::int64_t last_received_ns;
};
static_assert(sizeof(IndexEntry) == 32);
static_assert(std::has_unique_object_representations_v<IndexEntry>);

// One partition of the log, whether or not this segment holds messages of it, so that offsets never
// go back even when all of a partition's messages are trimmed.
struct PartitionEntry {
  std::uint64_t stream;         // StreamId
  std::uint64_t first_offset;   // of its first message in this segment; == next_offset when it has
                                // none
  std::uint64_t next_offset;    // one past its last message
  std::uint64_t payload_bytes;  // in this segment
  std::uint32_t first_block;    // index entries between which its messages lie; 0 when it has none
  std::uint32_t last_block;
};
static_assert(sizeof(PartitionEntry) == 40);
static_assert(std::has_unique_object_representations_v<PartitionEntry>);

// How far a producer's session is, whether or not this segment holds messages of it, so that none
// is taken twice though all of them are trimmed.
struct ProducerEntry {
  std::uint64_t session;        // SessionNumber
  std::uint64_t next_sequence;  // of the message that it goes on with
  std::int64_t last_used_ns;    // when the last of its messages came, by use_behind(); 0: not known
};
// Of a use that comes behind the one that is known: later than that, though the clock was set back.
[[nodiscard]] constexpr std::int64_t use_behind(std::int64_t known_ns, std::int64_t now_ns) {
  return now_ns < known_ns ? known_ns + 1 : now_ns;
}
static_assert(sizeof(ProducerEntry) == 24);
static_assert(std::has_unique_object_representations_v<ProducerEntry>);

struct SegmentFooter {
  std::uint64_t magic;
  std::uint32_t crc;  // CRC32C of the page with this field zero
  std::uint32_t version;
  VolumeId volume;
  std::uint32_t log;
  std::uint32_t slot;
  std::uint64_t generation;
  std::uint64_t sequence;
  std::uint64_t base_sequence;
  std::uint64_t segment_bytes;
  std::uint32_t index_position;   // pages from the start of the segment
  std::uint32_t index_crc;        // CRC32C of everything from index_position to this footer
  std::uint32_t block_count;      // IndexEntry first
  std::uint32_t partition_count;  // then PartitionEntry
  std::uint32_t last_crc;  // crc of the last block: what the next segment's first one chains to
  std::uint32_t producer_count;  // then ProducerEntry
  std::uint64_t message_count;
  std::uint64_t payload_bytes;
  std::int64_t first_received_ns;
  std::int64_t last_received_ns;
  std::int64_t closed_ns;
  std::uint64_t forgotten_count;  // sessions that the log gave up while it filled the segment: so
                                  // many may have runs in it and no entry
};
static_assert(sizeof(SegmentFooter) == 144);
static_assert(std::has_unique_object_representations_v<SegmentFooter>);

// Lay a page out: fills in magic, version and crc, zeroes the rest. page.size() == kPageBytes.
void encode_segment_header(std::span<std::byte> page, SegmentHeader header);
void encode_segment_footer(std::span<std::byte> page, SegmentFooter footer);

// kNotFound: an all-zero page; kUnsupportedVersion; kCorrupt with the reason.
[[nodiscard]] Result<SegmentHeader> decode_segment_header(std::span<const std::byte> page);
[[nodiscard]] Result<SegmentFooter> decode_segment_footer(std::span<const std::byte> page);

// The last page of a segment: where its footer is, in pages from the start.
[[nodiscard]] constexpr std::uint32_t footer_page(std::uint64_t segment_bytes) {
  return static_cast<std::uint32_t>(segment_bytes / kPageBytes) - 1;
}

struct SegmentIndex {
  std::vector<IndexEntry> blocks;
  std::vector<PartitionEntry> partitions;
  std::vector<ProducerEntry> producers;
};

[[nodiscard]] constexpr std::size_t index_bytes(std::size_t blocks, std::size_t partitions,
                                                std::size_t producers) {
  return align_up(blocks * sizeof(IndexEntry) + partitions * sizeof(PartitionEntry) +
                      producers * sizeof(ProducerEntry),
                  static_cast<std::size_t>(kPageBytes));
}

// `bytes` is everything from footer.index_position up to the footer page. Checks index_crc, that
// everything behind the entries is zero, that the blocks lie in order within the segment, and that
// no entry contradicts itself.
[[nodiscard]] Result<SegmentIndex> decode_segment_index(std::span<const std::byte> bytes,
                                                        const SegmentFooter& footer);

}  // namespace penstock
