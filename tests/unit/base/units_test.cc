#include "base/units.h"

#include <type_traits>

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Ordinal, CountsAndHasDistances) {
  Offset offset(7);
  EXPECT_EQ((++offset).value, 8U);
  offset += 2;
  EXPECT_EQ(offset, Offset(10));
  EXPECT_EQ(offset + 5, Offset(15));
  EXPECT_EQ(offset - Offset(4), 6U);
  EXPECT_LT(Offset(4), offset);
  EXPECT_EQ(Offset().value, 0U);
}

TEST(Ordinal, IsNotTakenForAnotherOne) {
  EXPECT_FALSE((std::is_convertible_v<Offset, BlockSequence>));
  EXPECT_FALSE((std::is_constructible_v<BlockSequence, Offset>));
  EXPECT_FALSE((std::is_convertible_v<std::uint64_t, Offset>));
  EXPECT_FALSE((std::is_invocable_v<std::equal_to<>, Offset, BlockSequence>));
  EXPECT_EQ(sizeof(LogNumber), 4U);
}

TEST(Ordinal, IsWrittenAsItsNumber) {
  EXPECT_EQ(fmt::format("{} {:>4}", Offset(12), LogNumber(3)), "12    3");
  EXPECT_EQ(fmt::format("{}", UnixNanos(-1)), "-1");
}

TEST(AlignUp, GoesToTheNextWholeStepOnly) {
  EXPECT_EQ(align_up(0U, 4096U), 0U);
  EXPECT_EQ(align_up(1U, 4096U), 4096U);
  EXPECT_EQ(align_up(4096U, 4096U), 4096U);
  EXPECT_EQ(align_up<std::uint64_t>((8ULL << 32U) + 1, 8), (8ULL << 32U) + 8);
}

}  // namespace
}  // namespace penstock
