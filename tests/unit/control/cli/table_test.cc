#include "control/cli/table.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Table, TextStandsLeftAndNumbersRight) {
  Table table({"PORT", "PACKETS", "STATE"});
  table.add({"lan0", "12,345", "up"});
  table.add({"a-long-name", "7", "down"});
  EXPECT_EQ(table.text(),
            "PORT         PACKETS  STATE\n"
            "lan0          12,345  up\n"
            "a-long-name        7  down\n");
}

TEST(Table, EmptyCellsDoNotMakeAColumnText) {
  Table table({"A", "BLOCKS"});
  table.add({"x", ""});
  table.add({"y", "10"});
  EXPECT_EQ(table.text(), "A  BLOCKS\nx\ny      10\n");
}

TEST(Table, WithoutRowsIsItsHeads) {
  const Table table({"ONE", "TWO"});
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.text(), "ONE  TWO\n");
}

TEST(Grouped, SetsCommasBetweenThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1'000), "1,000");
  EXPECT_EQ(grouped(123'456), "123,456");
  EXPECT_EQ(grouped(~0ULL), "18,446,744,073,709,551,615");
}

TEST(ShortBytes, AreDecimal) {
  EXPECT_EQ(short_bytes(0), "0 B");
  EXPECT_EQ(short_bytes(999), "999 B");
  EXPECT_EQ(short_bytes(1'000), "1.0 KB");
  EXPECT_EQ(short_bytes(1'234'567), "1.2 MB");
  EXPECT_EQ(short_bytes(340'000'000), "340 MB");
  EXPECT_EQ(short_bytes(2e18), "2000 PB");
}

TEST(Rfc3339, HasNanosecondsAndIsUtc) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(rfc3339(1'795'461'692'640'123'456), "2026-11-23T19:21:32.640123456Z");
  EXPECT_EQ(rfc3339(951'782'400'000'000'001), "2000-02-29T00:00:00.000000001Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(rfc3339(INT64_MAX), "2262-04-11T23:47:16.854775807Z");
  EXPECT_EQ(rfc3339(INT64_MIN), "1677-09-21T00:12:43.145224192Z");
}

}  // namespace
}  // namespace penstock
