#include "dataplane/subject/stream_router.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "base/rng.h"

namespace penstock {
namespace {

std::vector<SubjectFilter> filters(std::initializer_list<std::string_view> texts) {
  std::vector<SubjectFilter> result;
  for (const std::string_view text : texts) result.push_back(*SubjectFilter::parse(text));
  return result;
}

// A router over these streams, and the sets that it made known, in order.
class Routed {
 public:
  explicit Routed(std::vector<Stream> streams)
      : router_(std::move(streams), [this](std::span<const std::size_t> set) {
          sets.emplace_back(set.begin(), set.end());
          return add(sets.size() - 1);
        }) {}

  [[nodiscard]] std::vector<std::size_t> match(std::string_view subject) {
    const auto set = router_.match(subject);
    return set ? sets.at(set->value) : std::vector<std::size_t>{};
  }
  std::vector<std::vector<std::size_t>> sets;
  bool full = false;

 private:
  Result<CaptureSetId> add(std::size_t n) const {
    if (full) return fail(Errc::kNoSpace, "full");
    return CaptureSetId(static_cast<std::uint32_t>(n));
  }
  StreamRouter router_;
};

using Set = std::vector<std::size_t>;

TEST(StreamRouter, AllStreamsWhoseFiltersMatchCapture) {
  Routed routed({
      {"all",    filters({">"})                                },
      {"errors", filters({"syslog.*.err.>", "syslog.*.crit.>"})},
      {"kern",   filters({"syslog.kern.>"})                    }
  });
  EXPECT_EQ(routed.match("syslog.kern.err.h.a"), (Set{0, 1, 2}));
  EXPECT_EQ(routed.match("syslog.user.crit.h.a"), (Set{0, 1}));
  EXPECT_EQ(routed.match("lines.lan"), (Set{0}));
}

TEST(StreamRouter, WhatNoStreamMatchesIsNotCaptured) {
  Routed routed({
      {"syslog", filters({"syslog.>"})}
  });
  EXPECT_EQ(routed.match("lines.lan"), Set{});
  EXPECT_EQ(routed.match("syslog"), Set{});
  EXPECT_TRUE(routed.sets.empty());
}

TEST(StreamRouter, ASetIsMadeKnownOnce) {
  Routed routed({
      {"a", filters({"a.>"})},
      {"b", filters({"*.b"})}
  });
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(routed.match("a.b"), (Set{0, 1}));
    EXPECT_EQ(routed.match("a.c"), (Set{0}));
    EXPECT_EQ(routed.match("x.b"), (Set{1}));
  }
  EXPECT_EQ(routed.sets.size(), 3U);
}

TEST(StreamRouter, ASetThatIsRefusedIsNotAskedForAgain) {
  Routed routed({
      {"a", filters({"a.>"})}
  });
  routed.full = true;
  EXPECT_EQ(routed.match("a.b"), Set{});
  EXPECT_EQ(routed.match("a.c"), Set{});
  EXPECT_EQ(routed.sets.size(), 1U);
}

TEST(StreamRouter, NoMoreStreamsCaptureThanARunCanName) {
  std::vector<Stream> streams;
  for (std::size_t i = 0; i < kCapturesMax + 5; ++i) {
    streams.push_back({"s" + std::to_string(i), filters({">"})});
  }
  Routed routed(std::move(streams));
  EXPECT_EQ(routed.match("a").size(), kCapturesMax);
}

std::span<const std::byte> key(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(RouteCache, WhatIsKeptIsFoundUntilItGivesWay) {
  RouteCache cache(4);
  EXPECT_EQ(cache.find(key("one")), nullptr);
  const std::string subject = "subject.one";
  const Route* kept = cache.keep(key("one"), {subject, std::nullopt});
  EXPECT_EQ(kept->subject, subject);
  EXPECT_NE(kept->subject.data(), subject.data());  // a copy of its own
  EXPECT_EQ(cache.find(key("one")), kept);
  EXPECT_EQ(cache.find(key("on")), nullptr);
  EXPECT_EQ(cache.find(key("one1")), nullptr);
}

TEST(RouteCache, WhatIsTooLongIsUsedAndNotKept) {
  RouteCache cache(4);
  const std::string longest_key(RouteCache::kKeyBytesMax, 'k');
  const std::string longest(RouteCache::kSubjectBytesKept, 's');
  for (const auto& [k, subject, found] : {
           std::tuple{longest_key,       longest,       true },
           {longest_key + "k", longest,       false},
           {std::string("k"),  longest + "s", false}
  }) {
    EXPECT_EQ(cache.find(key(k)), nullptr);
    EXPECT_EQ(cache.keep(key(k), {subject, std::nullopt})->subject, subject);
    EXPECT_EQ(cache.find(key(k)) != nullptr, found);
  }
}

// A cache of four places is nothing but collisions: it forgets, it does not mix up.
TEST(RouteCache, CollidingKeysGiveTheirOwnRoutesOrNone) {
  for (const std::size_t entries : {1U, 4U, 64U}) {
    RouteCache cache(entries);
    Rng rng(entries);
    std::uint64_t found = 0;
    for (unsigned i = 0; i < 200'000; ++i) {
      const std::string k = std::to_string(rng.below(3 * entries + 10));
      const std::string subject = "s." + k;
      const CaptureSetId set(static_cast<std::uint32_t>(k.size()));
      const Route* route = cache.find(key(k));
      if (route != nullptr) ++found;
      if (route == nullptr) route = cache.keep(key(k), {subject, set});
      ASSERT_EQ(route->subject, subject);
      ASSERT_EQ(route->set, set);
    }
    EXPECT_GT(found, 0U);
  }
}

TEST(RouteCache, TheOldestOfAPlaceGivesWay) {
  RouteCache cache(4);  // four ways: every key has the same places
  for (const std::string_view name : {"1", "2", "3", "4", "5"}) {
    static_cast<void>(cache.find(key(name)));
    static_cast<void>(cache.keep(key(name), {name, std::nullopt}));
  }
  EXPECT_EQ(cache.find(key("1")), nullptr);
  for (const std::string_view name : {"2", "3", "4", "5"})
    EXPECT_NE(cache.find(key(name)), nullptr);
}

}  // namespace
}  // namespace penstock
