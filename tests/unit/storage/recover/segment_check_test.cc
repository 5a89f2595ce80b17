#include "storage/recover/segment_check.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "storage/recover/verify.h"
#include "tests/lib/log_forge.h"
#include "tests/lib/sanitized.h"

namespace penstock {
namespace {

constexpr std::size_t kStep = test::kSanitized ? 61 : 1;

class SegmentCheckTest : public testing::Test {
 protected:
  SegmentCheckTest() : volume_(make_memory_volume(drive_, {"all", "other"})), forge_(volume_) {
    forge_.begin(0);
    while (forge_.has_room(16 * 1024)) {
      const std::size_t bytes = 2000 + rng_.below(14'000);
      forge_.message(std::string(bytes / 2, 'a'));
      forge_.message(std::string(bytes / 2, 'b'), {"all", "other"});
      forge_.message("", {"other"});
      forge_.seal();
    }
    forge_.close();
  }

  std::vector<Finding> check() {
    OffsetTrack offsets;
    auto checked =
        verify_segment(volume_.device(), volume_.superblock(), SlotIndex(0), {}, offsets);
    return std::move(checked.value().findings);
  }
  std::span<std::byte> slot() { return drive_.slots.at(0); }

  void flip(std::size_t at) { slot()[at] ^= std::byte{1} << (at * 7 % 8); }

  static bool covered(const std::vector<Finding>& findings, std::size_t at) {
    return std::ranges::any_of(findings, [&](const Finding& finding) {
      return finding.slot == SlotIndex(0) && finding.offset <= at &&
             at < finding.offset + finding.bytes;
    });
  }

  Rng rng_{1};
  MemoryDrive drive_;
  Volume volume_;
  LogForge forge_;
};

TEST_F(SegmentCheckTest, AWholeClosedSegmentIsCheckedToTheLastByte) {
  OffsetTrack offsets;
  const auto checked =
      verify_segment(volume_.device(), volume_.superblock(), SlotIndex(0), {}, offsets).value();
  for (const Finding& finding : checked.findings) ADD_FAILURE() << finding.what;
  EXPECT_EQ(checked.totals.closed, 1U);
  EXPECT_EQ(checked.totals.blocks, forge_.place.sequence.value);
  EXPECT_EQ(checked.totals.messages, 3 * forge_.place.sequence.value);
  EXPECT_EQ(checked.totals.bytes_checked, slot().size());
  EXPECT_EQ(checked.next, forge_.place.sequence);
  EXPECT_EQ(checked.last_crc, forge_.place.crc);
}

// One bit of every byte of the segment. What lies in different blocks is flipped together, every
// other block at a time, so that each damaged block stands between whole ones; header, index and
// footer bytes alone.
TEST_F(SegmentCheckTest, AFlippedBitAnywhereIsFoundAndLocated) {
  const auto footer =
      decode_segment_footer(std::span<const std::byte>(slot()).last(kPageBytes)).value();
  const std::size_t index_begin = std::size_t{footer.index_position} * kPageBytes;
  const auto index =
      decode_segment_index(std::span<const std::byte>(slot()).subspan(
                               index_begin, slot().size() - kPageBytes - index_begin),
                           footer)
          .value();
  std::uint64_t cases = 0;
  std::uint64_t failed = 0;
  const auto try_flips = [&](const std::vector<std::size_t>& flips) {
    for (const std::size_t at : flips) flip(at);
    const auto findings = check();
    for (const std::size_t at : flips) {
      ++cases;
      if (!covered(findings, at)) ++failed;
      flip(at);
    }
    if (findings.size() != flips.size()) failed += flips.size();
  };
  for (std::size_t at = 0; at < kPageBytes; at += kStep) try_flips({at});
  for (std::size_t at = index_begin; at < slot().size(); at += kStep) try_flips({at});
  for (std::size_t parity = 0; parity < 2; ++parity) {
    for (std::size_t within = 0;; within += kStep) {
      std::vector<std::size_t> flips;
      for (std::size_t i = parity; i < index.blocks.size(); i += 2) {
        if (within >= std::size_t{index.blocks[i].pages} * kPageBytes) continue;
        flips.push_back(std::size_t{index.blocks[i].position} * kPageBytes + within);
      }
      if (flips.empty()) break;
      try_flips(flips);
    }
  }
  fmt::print("FIGURE name=byte_flips_found cases={} failed={}\n", cases, failed);
  if (kStep == 1) {
    EXPECT_EQ(cases, slot().size());
  }
  EXPECT_EQ(failed, 0U);
}

TEST_F(SegmentCheckTest, AFlippedBitAloneIsFoundByASingleFinding) {
  for (std::size_t i = 0; i < 2000; i += kStep) {
    const std::size_t at = rng_.below(slot().size());
    flip(at);
    const auto findings = check();
    ASSERT_EQ(findings.size(), 1U) << at;
    ASSERT_TRUE(covered(findings, at)) << at;
    flip(at);
  }
}

TEST_F(SegmentCheckTest, WithoutItsFooterTheBlocksAreStillCheckedOneByOne) {
  flip(slot().size() - kPageBytes);
  flip(slot().size() / 2);
  const auto findings = check();
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].kind, Finding::Kind::kCorruptFooter);
  EXPECT_EQ(findings[1].kind, Finding::Kind::kCorruptBlock);
  EXPECT_TRUE(covered(findings, slot().size() / 2));
}

TEST_F(SegmentCheckTest, AnIndexThatLiesUnderAGoodChecksumIsFound) {
  auto footer = decode_segment_footer(std::span<const std::byte>(slot()).last(kPageBytes)).value();
  const std::size_t begin = std::size_t{footer.index_position} * kPageBytes;
  const auto area = slot().subspan(begin, slot().size() - kPageBytes - begin);
  const auto original = std::vector<std::byte>(area.begin(), area.end());
  const auto expect_found = [&](std::size_t at, std::size_t bytes) {
    footer.index_crc = crc32c(area);
    encode_segment_footer(slot().last(kPageBytes), footer);
    const auto findings = check();
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].kind, Finding::Kind::kWrongIndex);
    EXPECT_EQ(findings[0].offset, begin + at);
    EXPECT_EQ(findings[0].bytes, bytes);
    std::ranges::copy(original, area.begin());
  };
  auto entry = load<IndexEntry>(area, 3 * sizeof(IndexEntry));
  ++entry.message_count;
  store(area, 3 * sizeof(IndexEntry), entry);
  expect_found(3 * sizeof(IndexEntry), sizeof(IndexEntry));
  const std::size_t at = footer.block_count * sizeof(IndexEntry);
  auto partition = load<PartitionEntry>(area, at);
  ++partition.payload_bytes;
  store(area, at, partition);
  expect_found(at, sizeof(PartitionEntry));
  ++footer.message_count;
  expect_found(slot().size() - kPageBytes - begin, kPageBytes);
}

}  // namespace
}  // namespace penstock
