#include <gtest/gtest.h>

#include "control/cli/merged_reader.h"

namespace penstock {
namespace {

using Kind = ReadStart::Kind;

constexpr UnixNanos kNow{1'795'461'692'500'000'000};

ReadStart start(std::string_view text) { return parse_read_start(text, kNow).value(); }

TEST(ReadStart, NamedPlaces) {
  EXPECT_EQ(start("beginning").kind, Kind::kBeginning);
  EXPECT_EQ(start("end").kind, Kind::kEnd);
}

TEST(ReadStart, AnOffset) {
  EXPECT_EQ(start("0").kind, Kind::kOffset);
  EXPECT_EQ(start("4711").number, 4711U);
  EXPECT_EQ(start("18446744073709551615").number, ~0ULL);
}

TEST(ReadStart, TheLastN) {
  EXPECT_EQ(start("-10").kind, Kind::kLast);
  EXPECT_EQ(start("-10").number, 10U);
  EXPECT_EQ(start("-0").number, 0U);
}

TEST(ReadStart, ATime) {
  EXPECT_EQ(start("@2026-11-23T19:21:32Z").kind, Kind::kTime);
  EXPECT_EQ(start("@2026-11-23T19:21:32Z").time, UnixNanos(1'795'461'692'000'000'000));
  EXPECT_EQ(start("@2026-11-23T19:21:32").time, UnixNanos(1'795'461'692'000'000'000));
  EXPECT_EQ(start("@2000-02-29T00:00:00Z").time, UnixNanos(951'782'400'000'000'000));
  EXPECT_EQ(start("@1795461692").time, UnixNanos(1'795'461'692'000'000'000));
  EXPECT_EQ(start("@0").time, UnixNanos(0));
}

TEST(ReadStart, ATimeOfAnotherZone) {
  const UnixNanos ten = start("@2026-11-23T10:00:00Z").time;
  EXPECT_EQ(start("@2026-11-23T11:00:00+01:00").time, ten);
  EXPECT_EQ(start("@2026-11-23T04:30:00.000000000-05:30").time, ten);
  EXPECT_EQ(start("@2026-11-23T10:00:00+00:00").time, ten);
  for (const auto* text :
       {"@2026-11-23T10:00:00+1:00", "@2026-11-23T10:00:00+0100", "@2026-11-23T10:00:00+24:00",
        "@2026-11-23T10:00:00+01:60", "@2026-11-23T10:00:00+", "@2026-11-23T10:00:00+01:00Z"}) {
    EXPECT_FALSE(parse_read_start(text, kNow).has_value()) << text;
  }
}

TEST(ReadStart, ATimeIsExactToTheNanosecond) {
  EXPECT_EQ(start("@2026-11-23T19:21:32.640123456Z").time, UnixNanos(1'795'461'692'640'123'456));
  EXPECT_EQ(start("@2026-11-23T19:21:32.000000001Z").time, UnixNanos(1'795'461'692'000'000'001));
  EXPECT_EQ(start("@2026-11-23T19:21:32.999999999Z").time, UnixNanos(1'795'461'692'999'999'999));
  EXPECT_EQ(start("@2026-11-23T19:21:32.5Z").time, UnixNanos(1'795'461'692'500'000'000));
  EXPECT_EQ(start("@1970-01-01T00:00:00.534845124Z").time, UnixNanos(534'845'124));
  for (int nanos = 0; nanos < 1'000'000'000; nanos += 9'999'991) {
    const auto text = fmt::format("@1970-01-01T00:00:00.{:09}Z", nanos);
    EXPECT_EQ(start(text).time, UnixNanos(nanos)) << text;
  }
}

TEST(ReadStart, ATimeAgo) {
  EXPECT_EQ(start("@-15m").time, UnixNanos(kNow.value - 900 * kNanosPerSecond));
  EXPECT_EQ(start("@-1.5s").time, UnixNanos(kNow.value - 1'500'000'000));
}

TEST(ReadStart, AnythingElseIsRefusedWithWhatThereIs) {
  for (const auto* text : {"",
                           "start",
                           "-",
                           "--1",
                           "+1",
                           "1.5",
                           "0x10",
                           " 1",
                           "1 ",
                           "-1h",
                           "@",
                           "@-",
                           "@--5m",
                           "@soon",
                           "@2026-13-01T00:00:00Z",
                           "@2026-11-23",
                           "@2026-11-23T19:21:32.Z",
                           "@2026-11-23T19:21:32.5e1Z",
                           "@2026-11-23T19:21:32ZZ",
                           "@2026-02-30T00:00:00Z",
                           "@9999-01-01T00:00:00Z",
                           "@2026-11-23T19:21:32.-5Z",
                           "@2026-11-23T19:21:32.1234567890Z",
                           "18446744073709551616"}) {
    const auto parsed = parse_read_start(text, kNow);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Errc::kInvalidArgument);
    EXPECT_NE(parsed.error().what.find("beginning, end, an offset"), std::string::npos);
  }
}

}  // namespace
}  // namespace penstock
