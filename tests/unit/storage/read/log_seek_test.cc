#include "storage/read/log_reader.h"
#include "tests/unit/storage/read/log_reader_fixture.h"

namespace penstock {
namespace {

using LogSeekTest = LogReaderTest;

TEST_F(LogSeekTest, FirstAndNextOffsetsAreTheStreams) {
  closed(0);
  closed(1);
  forge_.begin(2);
  blocks(4);
  drive_.slots.erase(0);
  LogReader odd = reader(kOdd);
  const auto first = odd.first_offset().value();
  EXPECT_EQ(odd.next_offset().value(), Offset(written_ / 2));
  EXPECT_EQ(read(odd).offsets, count(first.value, written_ / 2));
  EXPECT_GT(first, Offset(100));
}

TEST_F(LogSeekTest, OffsetsNeedAStream) {
  LogReader all = reader(std::nullopt);
  EXPECT_EQ(all.seek_offset(Offset(1)).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(all.first_offset().error().code, Errc::kInvalidArgument);
  EXPECT_EQ(all.next_offset().error().code, Errc::kInvalidArgument);
}

TEST_F(LogSeekTest, EveryOffsetIsFoundFromAnywhere) {
  for (std::uint32_t i = 0; i < 3; ++i) closed(i);
  forge_.begin(3);
  blocks(4);
  LogReader odd = reader(kOdd);
  Rng rng(1);
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t offset = rng.below(written_ / 2);
    ASSERT_TRUE(odd.seek_offset(Offset(offset)).has_value());
    const Got got = read(odd, 3);
    ASSERT_TRUE(got.gaps.empty());
    ASSERT_EQ(got.offsets, count(offset, std::min(offset + 3, written_ / 2)));
    ASSERT_EQ(got.numbers[0], 2 * offset + 1);
  }
}

TEST_F(LogSeekTest, AnOffsetBehindTheEndIsWaitedFor) {
  forge_.begin(0);
  blocks(2);
  LogReader all = reader(kAll);
  ASSERT_TRUE(all.seek_offset(Offset(8)).has_value());
  EXPECT_TRUE(read(all).numbers.empty());
  blocks(2);
  all.refresh(end());
  const Got got = read(all);
  EXPECT_EQ(got.offsets, count(8, 12));
  EXPECT_TRUE(got.gaps.empty());
}

TEST_F(LogSeekTest, BeforeTheFirstOffsetATrimmedGapComesFirst) {
  for (std::uint32_t i = 0; i < 3; ++i) closed(i, i == 2 ? 2 : 0);
  drive_.slots.erase(0);
  LogReader all = reader(kAll);
  const Offset first = all.first_offset().value();
  ASSERT_TRUE(all.seek_offset(Offset(5)).has_value());
  const Got got = read(all);
  ASSERT_EQ(got.gaps.size(), 1U);
  EXPECT_EQ(got.gaps[0].kind, GapKind::kTrimmed);
  EXPECT_EQ(got.gaps[0].first, Offset(5));
  EXPECT_EQ(got.gaps[0].next, first);
  EXPECT_EQ(got.offsets, count(first.value, written_));
}

TEST_F(LogSeekTest, ATimeIsFoundFromAnywhere) {
  for (std::uint32_t i = 0; i < 3; ++i) closed(i);
  forge_.begin(3);
  blocks(4);
  LogReader all = reader(std::nullopt);
  LogReader odd = reader(kOdd);
  Rng rng(1);
  for (int i = 0; i < 200; ++i) {
    const auto time = static_cast<std::int64_t>(rng.below(100 * (written_ - 2)));
    const auto number = static_cast<std::uint64_t>((time + 99) / 100);
    ASSERT_TRUE(all.seek_time(UnixNanos(time)).has_value());
    ASSERT_EQ(read(all, 2).numbers, count(number, std::min(number + 2, written_)));
    ASSERT_TRUE(odd.seek_time(UnixNanos(time)).has_value());
    ASSERT_EQ(read(odd, 1).numbers[0], number | 1U);
  }
  ASSERT_TRUE(all.seek_time(UnixNanos(100 * static_cast<std::int64_t>(written_))).has_value());
  EXPECT_TRUE(read(all).numbers.empty());
}

TEST_F(LogSeekTest, TheLastMessagesAreTheLast) {
  for (std::uint32_t i = 0; i < 2; ++i) closed(i);
  forge_.begin(2);
  blocks(4);
  LogReader all = reader(std::nullopt);
  LogReader odd = reader(kOdd);
  for (const std::uint64_t n : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{11},
                                std::uint64_t{300}, written_, 10 * written_}) {
    ASSERT_TRUE(all.seek_last(n).has_value());
    const Got got = read(all);
    EXPECT_EQ(got.numbers, count(written_ - std::min(n, written_), written_));
    EXPECT_TRUE(got.gaps.empty()) << n;
    ASSERT_TRUE(odd.seek_last(n).has_value());
    EXPECT_EQ(read(odd).offsets, count(written_ / 2 - std::min(n, written_ / 2), written_ / 2));
  }
}

TEST_F(LogSeekTest, FromTheEndOnlyWhatIsNewComes) {
  closed(0);
  forge_.begin(1);
  blocks(4);
  LogReader all = reader(kAll);
  ASSERT_TRUE(all.seek_end().has_value());
  EXPECT_TRUE(read(all).numbers.empty());
  const std::uint64_t before = written_;
  blocks(2);
  EXPECT_TRUE(read(all).numbers.empty()) << "not known to be durable yet";
  all.refresh(end());
  const Got got = read(all);
  EXPECT_EQ(got.offsets, count(before, written_));
  EXPECT_TRUE(got.gaps.empty());
}

TEST_F(LogSeekTest, TheEndOfALogWhoseLastSegmentIsClosedIsItsEnd) {
  closed(0);
  LogReader all = reader(kAll);
  ASSERT_TRUE(all.seek_end().has_value());
  const std::uint64_t before = written_;
  forge_.begin(1);
  blocks(1);
  all.refresh(end());
  EXPECT_EQ(read(all).offsets, count(before, written_));
}

}  // namespace
}  // namespace penstock
