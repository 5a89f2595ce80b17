// A volume's head: who it is and which streams it knows. 4 MiB at the front of a raw device, or the
// file `volume` of a directory.
//
//   page 0: Superblock     1 MiB: catalogue, copy A     2 MiB: catalogue, copy B     slots from 4
//   MiB
//
// The catalogue names the streams whose ids appear in captures. It is written to the copy that is
// not the newest valid one, so that a crash leaves the old or the new, never half.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "storage/format/format.h"

namespace penstock {

inline constexpr std::uint64_t kSuperblockMagic = magic64("PNSTKVOL");
inline constexpr std::uint64_t kCatalogueMagic = magic64("PNSTKCAT");
inline constexpr std::uint64_t kVolumeHeadBytes = 4 * kMiB;
inline constexpr std::uint64_t kCatalogueBytes = 1 * kMiB;  // of each copy
inline constexpr std::uint64_t kCataloguePosition[2] = {1 * kMiB, 2 * kMiB};

struct Superblock {
  std::uint64_t magic;
  std::uint32_t crc;  // CRC32C of the page with this field zero
  std::uint32_t version;
  VolumeId volume;
  std::uint64_t segment_bytes;
  std::int64_t created_ns;
  std::uint64_t device_bytes;  // of the block device when the volume was made; 0: not known
};
static_assert(sizeof(Superblock) == 56);
static_assert(std::has_unique_object_representations_v<Superblock>);

void encode_superblock(std::span<std::byte> page, Superblock superblock);
// kNotFound: an all-zero page; kUnsupportedVersion; kCorrupt with the reason.
[[nodiscard]] Result<Superblock> decode_superblock(std::span<const std::byte> page);

struct CatalogueHeader {
  std::uint64_t magic;
  std::uint32_t crc;  // CRC32C of the copy's first `length` bytes with this field zero
  std::uint32_t version;
  std::uint64_t revision;  // the newer of two valid copies counts
  std::uint32_t length;    // bytes in all, this header included
  std::uint32_t stream_count;
};
static_assert(sizeof(CatalogueHeader) == 32);
static_assert(std::has_unique_object_representations_v<CatalogueHeader>);

// Each stream: u64 id, u16 length of its name, the name. Names: 1 to 255 bytes.
struct Catalogue {
  std::uint64_t revision = 0;
  std::vector<std::string> streams;
};

// The encoded copy, padded to whole pages. kNoSpace when it exceeds kCatalogueBytes.
[[nodiscard]] Result<std::vector<std::byte>> encode_catalogue(const Catalogue& catalogue);
// Also checks that each id is its name's. kNotFound: an all-zero first page.
[[nodiscard]] Result<Catalogue> decode_catalogue(std::span<const std::byte> copy);

}  // namespace penstock
