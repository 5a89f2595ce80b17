#include "dataplane/subject/stream_router.h"

#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/lib/make_routing.h"

namespace penstock {
namespace {

using Set = std::vector<std::uint32_t>;
using Streams = std::vector<test::NamedFilters>;

// A router over these streams, and the sets that it asked for.
class Routed {
 public:
  explicit Routed(const Streams& streams)
      : routing_(test::make_routing(streams)), router_(routing_, [this](auto set) -> Answer {
          sets.emplace_back(set.begin(), set.end());
          if (full) return std::nullopt;
          return CaptureSetId(static_cast<std::uint32_t>(sets.size() - 1));
        }) {}

  [[nodiscard]] Set match(std::string_view subject) {
    const auto set = router_.match(subject);
    why = set ? MessageFate::kStored : set.error();
    return set ? sets.at(set->value) : Set{};
  }
  std::vector<Set> sets;
  bool full = false;
  MessageFate why = MessageFate::kStored;  // of the last match()

 private:
  using Answer = std::optional<CaptureSetId>;
  Routing routing_;
  StreamRouter router_;
};

TEST(StreamRouter, AllStreamsWhoseFiltersMatchCapture) {
  Routed routed({
      {"all",    {">"}                                },
      {"errors", {"syslog.*.err.>", "syslog.*.crit.>"}},
      {"kern",   {"syslog.kern.>"}                    }
  });
  EXPECT_EQ(routed.match("syslog.kern.err.h.a"), (Set{0, 1, 2}));
  EXPECT_EQ(routed.match("syslog.user.crit.h.a"), (Set{0, 1}));
  EXPECT_EQ(routed.match("lines.lan"), (Set{0}));
}

TEST(StreamRouter, AStreamCapturesOnceHoweverManyOfItsFiltersMatch) {
  Routed routed({
      {"a", {"x.>", "*.y", "x.*", "x.y", ">"}},
      {"b", {"x.y", "x.>"}                   }
  });
  EXPECT_EQ(routed.match("x.y"), (Set{0, 1}));
}

TEST(StreamRouter, WhatNoStreamMatchesIsNotCaptured) {
  Routed routed(Streams{
      {"syslog", {"syslog.>"}}
  });
  for (const std::string_view subject : {"lines.lan", "syslog"}) {
    EXPECT_EQ(routed.match(subject), Set{});
    EXPECT_EQ(routed.why, MessageFate::kNoStream);
  }
  EXPECT_TRUE(routed.sets.empty());
}

// Not under "no stream": the remedy would be the wrong one.
TEST(StreamRouter, WhatTheLogHasNoRoomForIsRefusedUnderItsOwnCause) {
  Routed routed(Streams{
      {"a", {"a.>"}}
  });
  routed.full = true;
  EXPECT_EQ(routed.match("a.c"), Set{});
  EXPECT_EQ(routed.why, MessageFate::kCapturesFull);
  routed.full = false;
  EXPECT_EQ(routed.match("a.c"), Set{0});
}

TEST(StreamRouter, AsManyStreamsAsAMessageCanHaveCaptureItAndNotOneMore) {
  for (const std::size_t count : {kCapturesMax, kCapturesMax + 1, 5 * kCapturesMax}) {
    Streams streams;
    for (std::size_t i = 0; i < count; ++i)
      streams.push_back({
          fmt::format("s{}", i), {"a.>", ">"}
      });
    Routed routed(streams);
    EXPECT_EQ(routed.match("a.b").size(), count == kCapturesMax ? count : 0);
    EXPECT_EQ(routed.why,
              count == kCapturesMax ? MessageFate::kStored : MessageFate::kCapturesFull);
  }
}

TEST(StreamRouter, OneOfTenThousandStreamsIsFound) {
  Streams streams;
  for (int i = 0; i < 10'000; ++i) {
    streams.push_back({fmt::format("s{}", i), {fmt::format("tenant.t{}.>", i)}});
  }
  Routed routed(streams);
  EXPECT_EQ(routed.match("tenant.t9876.cpu"), Set{9876});
  EXPECT_EQ(routed.match("tenant.t0.cpu"), Set{0});
  EXPECT_EQ(routed.match("tenant.t10000.cpu"), Set{});
}

}  // namespace
}  // namespace penstock
