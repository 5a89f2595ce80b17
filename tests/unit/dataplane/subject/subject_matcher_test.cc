#include "dataplane/subject/subject_matcher.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using Values = std::vector<std::uint32_t>;

// Each filter stands for its place in the list.
SubjectMatcher matcher_of(const std::vector<std::string>& filters) {
  std::vector<SubjectMatcher::Entry> entries;
  for (const std::string& text : filters) {
    entries.push_back(
        {SubjectFilter::parse(text).value(), static_cast<std::uint32_t>(entries.size())});
  }
  Rng rng(1);
  return SubjectMatcher(entries, rng);
}

Values match(const SubjectMatcher& matcher, std::string_view subject) {
  Values values;
  matcher.match(subject, [&](std::uint32_t value) { values.push_back(value); });
  std::ranges::sort(values);
  return values;
}

TEST(SubjectMatcher, WithoutFiltersNothingMatches) {
  const SubjectMatcher none = matcher_of({});
  EXPECT_EQ(match(none, "a"), Values{});
  EXPECT_EQ(match(none, "a.b.c"), Values{});
}

TEST(SubjectMatcher, WildcardsStandForWhatTheyDoInNats) {
  const SubjectMatcher all =
      matcher_of({"a.b", "a.*", "a.>", "*.b", ">", "*", "*.*", "a.b.c", "a.*.c", "*.>", "a"});
  EXPECT_EQ(match(all, "a"), (Values{4, 5, 10}));
  EXPECT_EQ(match(all, "a.b"), (Values{0, 1, 2, 3, 4, 6, 9}));
  EXPECT_EQ(match(all, "a.b.c"), (Values{2, 4, 7, 8, 9}));
  EXPECT_EQ(match(all, "a.x.c"), (Values{2, 4, 8, 9}));
  EXPECT_EQ(match(all, "x.y.z"), (Values{4, 9}));
  EXPECT_EQ(match(all, "x"), (Values{4, 5}));
}

TEST(SubjectMatcher, AFilterMayComeTwiceAndCountTwice) {
  EXPECT_EQ(match(matcher_of({"a.>", "a.b", "a.>"}), "a.b"), (Values{0, 1, 2}));
}

TEST(SubjectMatcher, TheLongestSubjectsAreMatchedByTheWidestFilters) {
  std::string deep = "t";
  std::string stars = "*";
  for (std::size_t i = 1; i < kSubjectTokensMax; ++i) {
    deep += ".t";
    stars += ".*";
  }
  const SubjectMatcher all = matcher_of({deep, stars, "t.>", ">", "t"});
  EXPECT_EQ(match(all, deep), (Values{0, 1, 2, 3}));
  EXPECT_EQ(match(all, std::string(kSubjectBytesMax, 'x')), (Values{3}));
}

// Few tokens, so that filters and subjects meet often: what each filter says by itself is right.
TEST(SubjectMatcher, ItSaysOfEveryFilterWhatTheFilterSays) {
  constexpr int kRounds = 200;
  Rng rng(7);
  const auto text = [&](bool filter) {
    std::string made;
    for (std::uint64_t left = 1 + rng.below(5); left > 0; --left) {
      if (!made.empty()) made += '.';
      if (filter && left == 1 && rng.chance(200'000)) return made + '>';
      made +=
          filter && rng.chance(300'000) ? "*" : std::string(1 + rng.below(2), "ab"[rng.below(2)]);
    }
    return made;
  };
  std::uint64_t cases = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::string> filters;
    for (std::uint64_t left = rng.below(300); left > 0; --left) filters.push_back(text(true));
    const SubjectMatcher matcher = matcher_of(filters);
    for (int i = 0; i < 100; ++i) {
      const std::string subject = text(false);
      Values expected;
      for (std::uint32_t f = 0; f < filters.size(); ++f) {
        if (SubjectFilter::parse(filters[f])->matches(subject)) expected.push_back(f);
      }
      ASSERT_EQ(match(matcher, subject), expected) << subject;
      ++cases;
    }
  }
  fmt::print("FIGURE name=subject_matcher_against_filters cases={} failed=0\n", cases);
}

TEST(SubjectMatcher, AHundredThousandFiltersAreFoundEachByItsOwnSubjects) {
  constexpr std::uint32_t kFilters = 100'000;
  std::vector<std::string> filters;
  for (std::uint32_t i = 0; i < kFilters; ++i) {
    filters.push_back(fmt::format("metrics.region{}.*.host{}.>", i % 7, i));
  }
  const SubjectMatcher matcher = matcher_of(filters);
  for (std::uint32_t i = 0; i < kFilters; ++i) {
    ASSERT_EQ(match(matcher, fmt::format("metrics.region{}.dc1.host{}.cpu.user", i % 7, i)),
              Values{i});
    ASSERT_EQ(match(matcher, fmt::format("metrics.region{}.dc1.host{}", i % 7, i)), Values{});
  }
  EXPECT_LT(matcher.memory_bytes(), 200U * kFilters);
}

}  // namespace
}  // namespace penstock
