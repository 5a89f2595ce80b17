#include "control/config/value.h"

#include <array>

#include <gtest/gtest.h>

#include "base/units.h"

namespace penstock {
namespace {

TEST(Size, ReadsUnitsAndFractions) {
  EXPECT_EQ(parse_size("4096").value(), 4096U);
  EXPECT_EQ(parse_size("64KiB").value(), 65536U);
  EXPECT_EQ(parse_size("1.5GiB").value(), 1536 * kMiB);
  EXPECT_EQ(parse_size("2 TB").value(), 2'000'000'000'000U);
}

TEST(Size, RefusesWhatIsNoSize) {
  for (const auto* text :
       {"", "MiB", "1 mib", "-1", "1e3", "inf", "nan", "99999999TiB", "1KiB x"}) {
    EXPECT_FALSE(parse_size(text).has_value()) << text;
  }
}

TEST(Duration, ReadsUnits) {
  EXPECT_EQ(parse_duration("2ms").value(), 2'000'000);
  EXPECT_EQ(parse_duration("1.5s").value(), 1'500'000'000);
  EXPECT_EQ(parse_duration("7d").value(), 604'800 * kNanosPerSecond);
  EXPECT_EQ(parse_duration("0").value(), 0);
  EXPECT_FALSE(parse_duration("15").has_value());
}

TEST(Format, IsReadBackAsTheSame) {
  for (const std::uint64_t bytes : {0ULL, 1ULL, 4096ULL, 262'144ULL, 5ULL << 40U, 12'345ULL}) {
    EXPECT_EQ(parse_size(format_size(bytes)).value(), bytes);
  }
  for (const std::int64_t nanos : {0LL, 1LL, 2'000'000LL, 90'000'000'000LL}) {
    EXPECT_EQ(parse_duration(format_duration(nanos)).value(), nanos);
  }
  EXPECT_EQ(format_size(256 * kMiB), "256MiB");
}

TEST(NearestName, FindsTyposAndNothingElse) {
  constexpr std::array<std::string_view, 3> known{"device", "addresses", "mtu"};
  EXPECT_EQ(nearest_name("devise", known), "device");
  EXPECT_EQ(nearest_name("adresses", known), "addresses");
  EXPECT_EQ(nearest_name("colour", known), "");
}

}  // namespace
}  // namespace penstock
