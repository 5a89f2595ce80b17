#include "storage/format/volume.h"

#include <cstdio>

#include <gtest/gtest.h>

#include "base/crc32c.h"

namespace penstock {
namespace {

using Bytes = std::vector<std::byte>;

Bytes superblock_page() {
  Superblock superblock{};
  superblock.volume = VolumeId{std::byte{7}};
  superblock.segment_bytes = 1 * kMiB;
  superblock.created_ns = 42;
  Bytes page(kPageBytes);
  encode_superblock(page, superblock);
  return page;
}

// Makes the checksum of a catalogue right again after a lie.
void reseal(Bytes& copy) {
  store(std::span(copy), offsetof(CatalogueHeader, crc), std::uint32_t{0});
  const auto length = load<CatalogueHeader>(copy).length;
  store(std::span(copy), offsetof(CatalogueHeader, crc), crc32c(std::span(copy).first(length)));
}

TEST(Superblock, ComesBackAsItWasWritten) {
  const auto decoded = decode_superblock(superblock_page());
  ASSERT_TRUE(decoded.has_value()) << decoded.error().what;
  EXPECT_EQ(decoded->volume, VolumeId{std::byte{7}});
  EXPECT_EQ(decoded->segment_bytes, 1 * kMiB);
  EXPECT_EQ(decoded->created_ns, 42);
}

TEST(Superblock, BlankForeignAndDamagedAreToldApart) {
  EXPECT_EQ(decode_superblock(Bytes(kPageBytes)).error().code, Errc::kNotFound);
  EXPECT_EQ(decode_superblock(Bytes(kPageBytes, std::byte{1})).error().what,
            "superblock: bad magic");
  Bytes page = superblock_page();
  page[40] ^= std::byte{1};
  EXPECT_EQ(decode_superblock(page).error().what, "superblock: bad checksum");
}

TEST(Catalogue, ComesBackAsItWasWritten) {
  const Catalogue catalogue{
      .revision = 9, .streams = {"all", "x", std::string(255, 'n')}
  };
  const Bytes copy = encode_catalogue(catalogue).value();
  EXPECT_EQ(copy.size() % kPageBytes, 0U);
  const auto decoded = decode_catalogue(copy);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().what;
  EXPECT_EQ(decoded->revision, 9U);
  EXPECT_EQ(decoded->streams, catalogue.streams);
}

TEST(Catalogue, RefusesNamesThatItCannotHold) {
  EXPECT_EQ(encode_catalogue({.streams = {""}}).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(encode_catalogue({.streams = {std::string(256, 'n')}}).error().code,
            Errc::kInvalidArgument);
}

TEST(Catalogue, RefusesMoreStreamsThanFit) {
  const std::vector<std::string> most((kCatalogueBytes - sizeof(CatalogueHeader)) / 256,
                                      std::string(246, 'n'));
  EXPECT_TRUE(encode_catalogue({.streams = most}).has_value());
  std::vector<std::string> more = most;
  more.emplace_back(246, 'n');
  EXPECT_EQ(encode_catalogue({.streams = more}).error().code, Errc::kNoSpace);
}

TEST(Catalogue, NoFlippedByteGoesUnnoticed) {
  Bytes copy = encode_catalogue({
                                    .revision = 1, .streams = {"all", "logs"}
  })
                   .value();
  const auto length = load<CatalogueHeader>(copy).length;
  std::size_t failed = 0;
  for (std::size_t i = 0; i < length; ++i) {
    copy[i] ^= std::byte{0x10};
    failed += decode_catalogue(copy).has_value() ? 1U : 0U;
    copy[i] ^= std::byte{0x10};
  }
  std::printf("FIGURE name=catalogue_byte_flips cases=%u failed=%zu\n", length, failed);
  EXPECT_EQ(failed, 0U);
}

TEST(Catalogue, LiesAreDamageThoughTheChecksumHolds) {
  const Bytes good = encode_catalogue({.revision = 1, .streams = {"all"}}).value();
  const auto code = [&](std::size_t at, auto value) {
    Bytes copy = good;
    store(std::span(copy), at, value);
    reseal(copy);
    return decode_catalogue(copy).error().code;
  };
  constexpr std::size_t kFirst = sizeof(CatalogueHeader);
  EXPECT_EQ(code(kFirst, std::uint64_t{1}), Errc::kCorrupt) << "an id that is not its name's";
  EXPECT_EQ(code(kFirst + 8, std::uint16_t{0}), Errc::kCorrupt) << "a name of no length";
  EXPECT_EQ(code(kFirst + 8, std::uint16_t{200}), Errc::kCorrupt) << "a name beyond the end";
  EXPECT_EQ(code(offsetof(CatalogueHeader, stream_count), 2U), Errc::kCorrupt);
  EXPECT_EQ(code(offsetof(CatalogueHeader, version), kFormatVersion + 1),
            Errc::kUnsupportedVersion);
}

TEST(Catalogue, BlankIsNoneAndAShortOneIsDamage) {
  EXPECT_EQ(decode_catalogue(Bytes(kCatalogueBytes)).error().code, Errc::kNotFound);
  EXPECT_EQ(decode_catalogue(Bytes(100)).error().code, Errc::kCorrupt);
}

TEST(StreamId, IsThatOfEveryNode) {
  // FNV-1a 64: the published values.
  EXPECT_EQ(stream_id("").value, 0xCBF29CE484222325U);
  EXPECT_EQ(stream_id("a").value, 0xAF63DC4C8601EC8CU);
  EXPECT_EQ(stream_id("foobar").value, 0x85944171F73967E8U);
}

}  // namespace
}  // namespace penstock
