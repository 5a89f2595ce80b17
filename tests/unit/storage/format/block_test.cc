#include "storage/format/block.h"

#include <cstdio>
#include <set>

#include <gtest/gtest.h>

#include "tests/unit/storage/format/forged_block.h"

namespace penstock {
namespace {

using test::Bytes;
using test::forge_block;
using test::forge_run;
using test::header_for;
using test::kForgedPlace;
using test::reseal;

const std::vector<Capture> kCaptures{
    {.stream = 1, .base_offset = 10}
};

std::vector<Bytes> two_runs(char fill = 'x') {
  return {
      forge_run(kCaptures, {{"a.b", "one"}, {"", std::string(5000, fill), {}, {}, 3}},
       1'000),
      forge_run(kCaptures, {{"c", "three"}},
       2'000)
  };
}

// Of two pages, with three messages received from 1,000 to 2,000.
Bytes sample(char fill = 'x') {
  const auto runs = two_runs(fill);
  return forge_block(runs, header_for(runs, 1'000, 2'000));
}

BlockFault fault_with(std::size_t at, const auto& value, bool sealed_again) {
  Bytes block = sample();
  store(std::span(block), at, value);
  if (sealed_again) reseal(block);
  return check_block(block, kForgedPlace);
}

TEST(Block, IsDataInItsPlace) {
  Bytes block = sample();
  EXPECT_EQ(block.size(), 2 * kPageBytes);
  EXPECT_EQ(check_block(block, kForgedPlace), BlockFault::kNone);
  block.resize(block.size() + 100, std::byte{0xEE});  // what lies behind it does not matter
  EXPECT_EQ(check_block(block, kForgedPlace), BlockFault::kNone);
}

TEST(Block, WithoutMessagesIsDataToo) {
  const Bytes block = forge_block({}, header_for({}, 0, 0));
  EXPECT_EQ(block.size(), kPageBytes);
  EXPECT_EQ(check_block(block, kForgedPlace), BlockFault::kNone);
  EXPECT_TRUE(BlockReader(block).next_run().empty());
}

TEST(Block, GivesBackItsRunsInOrder) {
  const Bytes block = sample();
  BlockReader reader(block);
  EXPECT_EQ(reader.header().message_count, 3U);
  for (const Bytes& expected : two_runs()) {
    const auto run = reader.next_run();
    EXPECT_EQ(Bytes(run.begin(), run.end()), expected);
  }
  EXPECT_TRUE(reader.next_run().empty());
}

TEST(Block, BlankPageWasNeverWritten) {
  EXPECT_EQ(check_block(Bytes(2 * kPageBytes), kForgedPlace), BlockFault::kNeverWritten);
}

TEST(Block, StrangerIsNotData) {
  EXPECT_EQ(check_block(Bytes(kPageBytes, std::byte{'z'}), kForgedPlace), BlockFault::kBadMagic);
  EXPECT_EQ(check_block(Bytes(100), kForgedPlace), BlockFault::kBadLength);
}

TEST(Block, OfAnotherFormatVersionIsSaidToBeThat) {
  const auto next_version = static_cast<std::uint16_t>(kFormatVersion + 1);
  EXPECT_EQ(fault_with(offsetof(BlockHeader, version), next_version, true),
            BlockFault::kBadVersion);
}

TEST(Block, ContradictoryLengthsAreNotFollowed) {
  constexpr std::size_t kLength = offsetof(BlockHeader, length);
  constexpr std::size_t kUsed = offsetof(BlockHeader, used);
  for (const std::uint32_t length :
       {0U, 1U, 4095U, 4097U, 3 * kPageBytes, 0xFFFFF000U, kBlockBytesMax + kPageBytes}) {
    EXPECT_EQ(fault_with(kLength, length, true), BlockFault::kBadLength) << length;
  }
  for (const std::uint32_t used : {0U, 95U, 2 * kPageBytes + 1, 0xFFFFFFFFU}) {
    EXPECT_EQ(fault_with(kUsed, used, true), BlockFault::kBadLength) << used;
  }
  EXPECT_EQ(fault_with(offsetof(BlockHeader, header_bytes), std::uint16_t{95}, true),
            BlockFault::kBadLength);
  const Bytes block = sample();
  EXPECT_EQ(check_block(std::span(block).first(kPageBytes), kForgedPlace), BlockFault::kBadLength)
      << "the segment ends before the block does";
}

TEST(Block, MisplacedCopyIsNotData) {
  const Bytes block = sample();
  BlockPlace place = kForgedPlace;
  place.volume[0] = std::byte{8};
  EXPECT_EQ(check_block(block, place), BlockFault::kWrongVolume);
  place = kForgedPlace;
  place.log = LogNumber(4);
  EXPECT_EQ(check_block(block, place), BlockFault::kWrongVolume);
  place = kForgedPlace;
  place.position = 6;
  EXPECT_EQ(check_block(block, place), BlockFault::kWrongPosition);
}

TEST(Block, StaleOneOfAnEarlierUseOfTheSegmentIsNotData) {
  BlockPlace place = kForgedPlace;
  ++place.generation;
  EXPECT_EQ(check_block(sample(), place), BlockFault::kWrongGeneration);
}

TEST(Block, RunsThatContradictTheHeaderAreNotData) {
  const auto lie = [](std::size_t at, auto value) { return fault_with(at, value, true); };
  EXPECT_EQ(lie(offsetof(BlockHeader, run_count), 1U), BlockFault::kBadRun);
  EXPECT_EQ(lie(offsetof(BlockHeader, run_count), 3U), BlockFault::kBadRun);
  EXPECT_EQ(lie(offsetof(BlockHeader, message_count), 4U), BlockFault::kBadRun);
  EXPECT_EQ(lie(offsetof(BlockHeader, first_received_ns), std::int64_t{999}), BlockFault::kBadRun);
  EXPECT_EQ(lie(offsetof(BlockHeader, last_received_ns), std::int64_t{2'001}), BlockFault::kBadRun);
  EXPECT_EQ(lie(sizeof(BlockHeader), 12U), BlockFault::kBadRun) << "a run's length";
  const std::size_t behind = load<BlockHeader>(sample()).used;
  EXPECT_EQ(lie(behind, std::uint8_t{1}), BlockFault::kBadRun) << "bytes behind the last run";
}

TEST(Block, NoFlippedByteGoesUnnoticed) {
  Bytes block = sample();
  std::size_t failed = 0;
  for (std::byte& byte : block) {
    byte ^= std::byte{0x10};
    failed += check_block(block, kForgedPlace) == BlockFault::kNone ? 1U : 0U;
    byte ^= std::byte{0x10};
  }
  std::printf("FIGURE name=block_byte_flips cases=%zu failed=%zu\n", block.size(), failed);
  EXPECT_EQ(failed, 0U);
}

// A write that a power cut stopped between two sectors, over what lay there before.
TEST(Block, TornBlockIsNotData) {
  constexpr std::size_t kSector = 512;
  const Bytes block = sample();
  Bytes older = sample('o');
  store(std::span(older), offsetof(BlockHeader, generation), kForgedPlace.generation.value - 1);
  reseal(older);
  std::size_t cases = 0;
  std::size_t failed = 0;
  for (const Bytes& before : {Bytes(block.size()), older, sample('p')}) {
    for (std::size_t cut = kSector; cut < block.size(); cut += kSector) {
      if (std::ranges::equal(std::span(block).subspan(cut), std::span(before).subspan(cut)))
        continue;
      Bytes torn = before;
      std::copy_n(block.begin(), cut, torn.begin());
      failed += check_block(torn, kForgedPlace) == BlockFault::kBadChecksum ? 0U : 1U;
      // Drives need not write sectors in order.
      torn = block;
      std::copy_n(before.begin(), cut, torn.begin());
      failed += check_block(torn, kForgedPlace) == BlockFault::kNone ? 1U : 0U;
      cases += 2;
    }
  }
  std::printf("FIGURE name=torn_blocks cases=%zu failed=%zu\n", cases, failed);
  EXPECT_EQ(failed, 0U);
}

TEST(Block, FollowsOnlyItsOwnPredecessor) {
  BlockHeader previous{};
  previous.sequence = 7;
  previous.crc = 0xABCD;
  BlockHeader next{};
  next.sequence = 8;
  next.previous_crc = 0xABCD;
  EXPECT_TRUE(follows(previous, next));
  next.sequence = 9;
  EXPECT_FALSE(follows(previous, next));
  next.sequence = 8;
  next.previous_crc = 0xABCE;
  EXPECT_FALSE(follows(previous, next));
}

TEST(Block, EveryFaultHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (auto i = 0; i <= static_cast<int>(BlockFault::kBadRun); ++i) {
    EXPECT_TRUE(names.insert(to_string(static_cast<BlockFault>(i))).second) << i;
  }
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace penstock
