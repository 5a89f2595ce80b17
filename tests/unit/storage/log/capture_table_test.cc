#include "storage/log/capture_table.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using Streams = std::vector<StreamId>;

Streams streams_of(CaptureTable& table, CaptureSetId set) {
  Streams streams;
  for (const std::uint32_t i : table.partitions_of(set)) streams.push_back(table.at(i).stream);
  return streams;
}

TEST(CaptureTable, TheSameStreamsInTheSameOrderAreTheSameSet) {
  CaptureTable table;
  const Streams ab{StreamId(1), StreamId(2)};
  const Streams ba{StreamId(2), StreamId(1)};
  const CaptureSetId set = table.add_set(ab).value();
  EXPECT_NE(table.add_set(ba).value(), set);
  EXPECT_EQ(table.add_set(ab).value(), set);
  EXPECT_EQ(streams_of(table, set), ab);
  EXPECT_EQ(table.partitions_of(set).size(), 2U);
  EXPECT_EQ(table.all().size(), 2U);
}

TEST(CaptureTable, APartitionGoesOnFromItsOffset) {
  CaptureTable table;
  const std::uint32_t number = table.add_partition(StreamId(1), Offset(7)).value();
  const CaptureSetId set = table.add_set(Streams{StreamId(1)}).value();
  EXPECT_EQ(table.partitions_of(set)[0], number);
  EXPECT_EQ(table.at(number).next_offset, Offset(7));
}

TEST(CaptureTable, ASetMayHaveAsManyStreamsAsARunNames) {
  CaptureTable table;
  Streams many;
  for (std::size_t i = 0; i < kCapturesMax; ++i) many.emplace_back(i + 1);
  const auto set = table.add_set(many);
  ASSERT_TRUE(set.has_value());
  EXPECT_EQ(streams_of(table, *set), many);
}

TEST(CaptureTable, OneSetMoreThanFitsIsRefusedAndTheOthersStay) {
  CaptureTable table;
  const auto streams = [](std::size_t i) {
    return Streams{StreamId(1 + i % 128), StreamId(1000 + i / 128)};
  };
  for (std::size_t i = 0; i < CaptureTable::kSetsMax; ++i) {
    ASSERT_EQ(table.add_set(streams(i)).value().value, i);
  }
  EXPECT_FALSE(table.add_set(streams(CaptureTable::kSetsMax)));
  EXPECT_EQ(table.add_set(streams(5)).value(), CaptureSetId(5));
}

TEST(CaptureTable, OnePartitionMoreThanFitsIsRefused) {
  CaptureTable table;
  for (std::size_t i = 0; i < CaptureTable::kPartitionsMax; ++i) {
    ASSERT_TRUE(table.add_partition(StreamId(i + 1), Offset(0)).has_value());
  }
  EXPECT_FALSE(table.add_set(Streams{StreamId(1'000'000)}));
  EXPECT_TRUE(table.add_set(Streams{StreamId(5)}).has_value());
}

}  // namespace
}  // namespace penstock
