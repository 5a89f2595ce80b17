// Superblock and catalogue: raw, and with a good checksum over whatever they say.
#include "storage/format/volume.h"
#include "tests/fuzz/fuzz_page.h"

using namespace penstock;

namespace {

// Puts magic, version, length and checksum right, so that the streams themselves are judged.
std::vector<std::byte> sealed_catalogue(std::span<const std::byte> streams, std::uint32_t count) {
  const std::size_t length = sizeof(CatalogueHeader) + streams.size();
  std::vector<std::byte> copy(align_up<std::size_t>(length, kPageBytes));
  std::ranges::copy(streams, copy.begin() + sizeof(CatalogueHeader));
  CatalogueHeader header{.magic = kCatalogueMagic,
                         .version = kFormatVersion,
                         .length = static_cast<std::uint32_t>(length),
                         .stream_count = count};
  store(std::span(copy), 0, header);
  header.crc = crc32c(std::span<const std::byte>(copy).first(length));
  store(std::span(copy), 0, header);
  return copy;
}

void check_catalogue(std::span<const std::byte> copy) {
  const auto catalogue = decode_catalogue(copy);
  if (!catalogue) return;
  const auto again = encode_catalogue(*catalogue);
  CHECK(again.has_value());
  const std::size_t length = load<CatalogueHeader>(copy).length;
  CHECK(std::ranges::equal(std::span(*again).first(length), copy.first(length)));
}

// Names of streams as the input has them, one a line.
void check_names(std::string_view text) {
  Catalogue catalogue{.revision = 1, .streams = {}};
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find('\n'));
    catalogue.streams.emplace_back(name);
    text.remove_prefix(std::min(name.size() + 1, text.size()));
  }
  const auto copy = encode_catalogue(catalogue);
  if (!copy) return;
  const auto decoded = decode_catalogue(*copy);
  CHECK(decoded.has_value());
  CHECK(decoded->streams == catalogue.streams);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::FuzzInput input(data, size);
  const auto count = input.number<std::uint8_t>();
  const auto bytes = input.rest();
  fuzz::check_page(fuzz::page_of(bytes), decode_superblock, encode_superblock);
  fuzz::check_page(fuzz::sealed_page_of<Superblock>(bytes, kSuperblockMagic), decode_superblock,
                   encode_superblock);
  check_catalogue(bytes);
  check_catalogue(sealed_catalogue(bytes, count));
  check_names(fuzz::text_of(bytes));
  return 0;
}
