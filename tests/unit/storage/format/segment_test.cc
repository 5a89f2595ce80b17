#include "storage/format/segment.h"

#include <cstdio>

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "storage/format/page.h"

namespace penstock {
namespace {

using Bytes = std::vector<std::byte>;

SegmentHeader header() {
  SegmentHeader header{};
  header.volume = VolumeId{std::byte{7}};
  header.log = 3;
  header.slot = 12;
  header.state = SlotState::kUsed;
  header.previous_crc = 0xABCD;
  header.generation = 99;
  header.sequence = 5;
  header.base_sequence = 1'000;
  header.oldest_sequence = 2;
  header.segment_bytes = 1 * kMiB;
  header.created_ns = 1'700'000'000;
  return header;
}

SegmentIndex index() {
  return {
      .blocks = {{.position = 1, .pages = 4, .message_count = 10, .crc = 1},
                 {.position = 5, .pages = 2, .message_count = 1, .crc = 2}},
      .partitions = {{.stream = 11,
                      .first_offset = 100,
                      .next_offset = 111,
                      .payload_bytes = 5'000,
                      .first_block = 0,
                      .last_block = 1},
                 {.stream = 22, .first_offset = 7, .next_offset = 7}      },
      .producers = {{.session = 33, .next_sequence = 1'000, .last_used_ns = 5},
                 {.session = 44, .next_sequence = 0, .last_used_ns = 0}   }
  };
}

Bytes bytes_of(const SegmentIndex& index) {
  Bytes bytes(index_bytes(index.blocks.size(), index.partitions.size(), index.producers.size()));
  std::size_t at = 0;
  for (const IndexEntry& entry : index.blocks) {
    store(std::span(bytes), at, entry);
    at += sizeof entry;
  }
  for (const PartitionEntry& entry : index.partitions) {
    store(std::span(bytes), at, entry);
    at += sizeof entry;
  }
  for (const ProducerEntry& entry : index.producers) {
    store(std::span(bytes), at, entry);
    at += sizeof entry;
  }
  return bytes;
}

SegmentFooter footer_of(const SegmentIndex& index, std::span<const std::byte> bytes) {
  SegmentFooter footer{};
  footer.volume = VolumeId{std::byte{7}};
  footer.generation = 99;
  footer.segment_bytes = 1 * kMiB;
  footer.index_position = 7;
  footer.index_crc = crc32c(bytes);
  footer.block_count = static_cast<std::uint32_t>(index.blocks.size());
  footer.partition_count = static_cast<std::uint32_t>(index.partitions.size());
  footer.producer_count = static_cast<std::uint32_t>(index.producers.size());
  footer.message_count = 11;
  return footer;
}

Bytes header_page(const SegmentHeader& value) {
  Bytes page(kPageBytes);
  encode_segment_header(page, value);
  return page;
}
Bytes footer_page(const SegmentFooter& value) {
  Bytes page(kPageBytes);
  encode_segment_footer(page, value);
  return page;
}

// Changes bytes and makes the checksum right again.
template <class T>
Bytes changed(Bytes page, std::size_t at, T value) {
  store(std::span(page), at, value);
  store(std::span(page), offsetof(SegmentHeader, crc), std::uint32_t{0});
  store(std::span(page), offsetof(SegmentHeader, crc), crc32c(page));
  return page;
}

// Flips every byte of a page, one after the other; gives how many went unnoticed.
std::size_t unnoticed(Bytes page, const auto& decode) {
  std::size_t count = 0;
  for (std::byte& byte : page) {
    byte ^= std::byte{0x10};
    count += decode(page).has_value() ? 1U : 0U;
    byte ^= std::byte{0x10};
  }
  return count;
}

TEST(SegmentHeader, ComesBackAsItWasWritten) {
  const auto decoded = decode_segment_header(header_page(header()));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().what;
  EXPECT_EQ(decoded->log, 3U);
  EXPECT_EQ(decoded->slot, 12U);
  EXPECT_EQ(decoded->generation, 99U);
  EXPECT_EQ(decoded->base_sequence, 1'000U);
  EXPECT_EQ(decoded->oldest_sequence, 2U);
  EXPECT_EQ(decoded->created_ns, 1'700'000'000);
}

TEST(SegmentHeader, BlankPageIsNone) {
  EXPECT_EQ(decode_segment_header(Bytes(kPageBytes)).error().code, Errc::kNotFound);
  EXPECT_EQ(decode_segment_footer(Bytes(kPageBytes)).error().code, Errc::kNotFound);
}

TEST(SegmentHeader, OfAnotherVersionIsRefusedByName) {
  const auto decoded = decode_segment_header(
      changed(header_page(header()), offsetof(SegmentHeader, version), kFormatVersion + 1));
  EXPECT_EQ(decoded.error().code, Errc::kUnsupportedVersion);
  EXPECT_NE(decoded.error().what.find("format version 3"), std::string::npos);
}

TEST(SegmentHeader, ImpossibleValuesAreDamage) {
  const Bytes page = header_page(header());
  for (const std::uint64_t bytes : {std::uint64_t{0}, kSegmentBytesMin - 4096, kSegmentBytesMin + 1,
                                    kSegmentBytesMax + 4096, ~std::uint64_t{0}}) {
    EXPECT_EQ(decode_segment_header(changed(page, offsetof(SegmentHeader, segment_bytes), bytes))
                  .error()
                  .code,
              Errc::kCorrupt);
  }
  for (const std::uint32_t state : {0U, 3U}) {
    EXPECT_EQ(
        decode_segment_header(changed(page, offsetof(SegmentHeader, state), state)).error().code,
        Errc::kCorrupt);
  }
  EXPECT_EQ(
      decode_segment_header(changed(page, sizeof(SegmentHeader), std::uint8_t{1})).error().code,
      Errc::kCorrupt)
      << "bytes behind the header";
}

TEST(SegmentHeader, IsNotTakenForAFooter) {
  EXPECT_EQ(decode_segment_footer(header_page(header())).error().code, Errc::kCorrupt);
}

TEST(SegmentPages, NoFlippedByteGoesUnnoticed) {
  const SegmentIndex entries = index();
  const Bytes bytes = bytes_of(entries);
  const SegmentFooter footer = footer_of(entries, bytes);
  const std::size_t failed =
      unnoticed(header_page(header()), [](const Bytes& b) { return decode_segment_header(b); }) +
      unnoticed(footer_page(footer), [](const Bytes& b) { return decode_segment_footer(b); }) +
      unnoticed(bytes, [&](const Bytes& b) { return decode_segment_index(b, footer); });
  std::printf("FIGURE name=segment_page_byte_flips cases=%u failed=%zu\n", 3 * kPageBytes, failed);
  EXPECT_EQ(failed, 0U);
}

TEST(SegmentFooter, ComesBackAsItWasWritten) {
  const SegmentIndex entries = index();
  const auto decoded = decode_segment_footer(footer_page(footer_of(entries, bytes_of(entries))));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().what;
  EXPECT_EQ(decoded->message_count, 11U);
  EXPECT_EQ(decoded->block_count, 2U);
}

TEST(SegmentFooter, LengthsThatLeaveTheSegmentAreDamage) {
  const SegmentIndex entries = index();
  const Bytes page = footer_page(footer_of(entries, bytes_of(entries)));
  const auto code = [&](std::size_t at, auto value) {
    return decode_segment_footer(changed(page, at, value)).error().code;
  };
  EXPECT_EQ(code(offsetof(SegmentFooter, index_position), 0U), Errc::kCorrupt);
  EXPECT_EQ(code(offsetof(SegmentFooter, index_position), 255U), Errc::kCorrupt);
  EXPECT_EQ(code(offsetof(SegmentFooter, index_position), ~0U), Errc::kCorrupt);
  EXPECT_EQ(code(offsetof(SegmentFooter, block_count), ~0U), Errc::kCorrupt);
  EXPECT_EQ(code(offsetof(SegmentFooter, partition_count), ~0U), Errc::kCorrupt);
  EXPECT_EQ(code(offsetof(SegmentFooter, producer_count), ~0U), Errc::kCorrupt);
}

TEST(SegmentIndex, ComesBackAsItWasWritten) {
  const SegmentIndex entries = index();
  const Bytes bytes = bytes_of(entries);
  const auto decoded = decode_segment_index(bytes, footer_of(entries, bytes));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().what;
  ASSERT_EQ(decoded->blocks.size(), 2U);
  EXPECT_EQ(decoded->blocks[1].position, 5U);
  ASSERT_EQ(decoded->partitions.size(), 2U);
  EXPECT_EQ(decoded->partitions[0].next_offset, 111U);
  ASSERT_EQ(decoded->producers.size(), 2U);
  EXPECT_EQ(decoded->producers[0].session, 33U);
  EXPECT_EQ(decoded->producers[0].next_sequence, 1'000U);
  EXPECT_EQ(decoded->producers[0].last_used_ns, 5);
  EXPECT_EQ(decoded->producers[1].session, 44U);
}

TEST(SegmentIndex, EntriesThatContradictEachOtherAreDamage) {
  const auto refused = [](const auto& lie) {
    SegmentIndex entries = index();
    lie(entries);
    const Bytes bytes = bytes_of(entries);
    const auto decoded = decode_segment_index(bytes, footer_of(entries, bytes));
    return !decoded && decoded.error().code == Errc::kCorrupt;
  };
  EXPECT_TRUE(refused([](SegmentIndex& i) { i.blocks[1].position = 6; })) << "a hole";
  EXPECT_TRUE(refused([](SegmentIndex& i) { i.blocks[1].pages = 0; })) << "an empty block";
  EXPECT_TRUE(refused([](SegmentIndex& i) { i.blocks[1].pages = 3; })) << "over the index";
  EXPECT_TRUE(refused([](SegmentIndex& i) { i.partitions[0].first_offset = 112; }));
  EXPECT_TRUE(refused([](SegmentIndex& i) { i.partitions[0].last_block = 2; }));
  EXPECT_TRUE(refused([](SegmentIndex& i) {
    i.partitions[0].first_block = 1;
    i.partitions[0].last_block = 0;
  }));
  EXPECT_TRUE(
      refused([](SegmentIndex& i) { i.producers[1].next_sequence = kProducerSequenceEnd + 1; }));
  EXPECT_FALSE(
      refused([](SegmentIndex& i) { i.producers[1].next_sequence = kProducerSequenceEnd; }));
  EXPECT_FALSE(refused([](SegmentIndex&) {}));
}

TEST(SegmentIndex, BytesBehindItsEntriesAreDamage) {
  const SegmentIndex entries = index();
  Bytes bytes = bytes_of(entries);
  bytes.back() = std::byte{1};
  EXPECT_EQ(decode_segment_index(bytes, footer_of(entries, bytes)).error().code, Errc::kCorrupt);
  EXPECT_EQ(
      decode_segment_index(std::span(bytes).first(64), footer_of(entries, bytes)).error().code,
      Errc::kCorrupt);
}

}  // namespace
}  // namespace penstock
