#include "storage/format/volume.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "storage/format/page.h"

namespace penstock {
namespace {

constexpr std::size_t kNameBytesMax = 255;
constexpr std::size_t kStreamHeadBytes = 10;  // u64 id, u16 length

std::unexpected<Error> bad_catalogue(std::string_view why) {
  return fail(Errc::kCorrupt, fmt::format("catalogue: {}", why));
}

std::uint32_t catalogue_crc(std::span<const std::byte> bytes, CatalogueHeader header) {
  header.crc = 0;
  const auto head = std::as_bytes(std::span(&header, 1));
  return crc32c_extend(crc32c(head), bytes.subspan(sizeof header));
}

}  // namespace

void encode_superblock(std::span<std::byte> page, Superblock superblock) {
  encode_page(page, superblock, kSuperblockMagic);
}

Result<Superblock> decode_superblock(std::span<const std::byte> page) {
  return decode_page<Superblock>(page, kSuperblockMagic, "superblock");
}

Result<std::vector<std::byte>> encode_catalogue(const Catalogue& catalogue) {
  std::size_t length = sizeof(CatalogueHeader);
  for (const std::string& name : catalogue.streams) {
    if (name.empty() || name.size() > kNameBytesMax) {
      return fail(Errc::kInvalidArgument,
                  fmt::format("stream name '{}': 1 to {} bytes are allowed", name, kNameBytesMax));
    }
    length += kStreamHeadBytes + name.size();
  }
  if (length > kCatalogueBytes) {
    return fail(Errc::kNoSpace,
                fmt::format("{} streams do not fit the volume's catalogue of {} bytes",
                            catalogue.streams.size(), kCatalogueBytes));
  }
  std::vector<std::byte> copy(align_up<std::size_t>(length, kPageBytes));
  std::size_t at = sizeof(CatalogueHeader);
  for (const std::string& name : catalogue.streams) {
    store(std::span(copy), at, stream_id(name).value);
    store(std::span(copy), at + 8, static_cast<std::uint16_t>(name.size()));
    std::memcpy(copy.data() + at + kStreamHeadBytes, name.data(), name.size());
    at += kStreamHeadBytes + name.size();
  }
  CatalogueHeader header{};
  header.magic = kCatalogueMagic;
  header.version = kFormatVersion;
  header.revision = catalogue.revision;
  header.length = static_cast<std::uint32_t>(length);
  header.stream_count = static_cast<std::uint32_t>(catalogue.streams.size());
  header.crc = catalogue_crc(std::span(copy).first(length), header);
  store(std::span(copy), 0, header);
  return copy;
}

Result<Catalogue> decode_catalogue(std::span<const std::byte> copy) {
  if (copy.size() < kPageBytes) return bad_catalogue("cut off");
  if (std::ranges::all_of(copy.first(kPageBytes), [](std::byte b) { return b == std::byte{0}; })) {
    return fail(Errc::kNotFound, "catalogue: blank");
  }
  const auto header = load<CatalogueHeader>(copy);
  if (header.magic != kCatalogueMagic) return bad_catalogue("bad magic");
  if (header.length < sizeof header || header.length > copy.size() ||
      header.length > kCatalogueBytes) {
    return bad_catalogue("impossible length");
  }
  const auto bytes = copy.first(header.length);
  if (catalogue_crc(bytes, header) != header.crc) return bad_catalogue("bad checksum");
  if (header.version != kFormatVersion) {
    return fail(Errc::kUnsupportedVersion,
                fmt::format("catalogue: format version {}", header.version));
  }
  Catalogue catalogue;
  catalogue.revision = header.revision;
  std::size_t at = sizeof header;
  for (std::uint32_t i = 0; i < header.stream_count; ++i) {
    if (bytes.size() - at < kStreamHeadBytes) return bad_catalogue("a stream leaves it");
    const auto id = load<std::uint64_t>(bytes, at);
    const auto length = load<std::uint16_t>(bytes, at + 8);
    at += kStreamHeadBytes;
    if (length == 0 || length > kNameBytesMax || length > bytes.size() - at) {
      return bad_catalogue("a stream's name leaves it");
    }
    std::string name(reinterpret_cast<const char*>(bytes.data() + at), length);
    if (stream_id(name).value != id) return bad_catalogue("a stream's id is not its name's");
    catalogue.streams.push_back(std::move(name));
    at += length;
  }
  if (at != bytes.size()) return bad_catalogue("longer than its streams");
  return catalogue;
}

}  // namespace penstock
