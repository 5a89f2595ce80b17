#include "dataplane/subject/stream_router.h"

#include <string>

#include <gtest/gtest.h>

namespace penstock {
namespace {

std::vector<SubjectFilter> filters(std::initializer_list<std::string_view> texts) {
  std::vector<SubjectFilter> result;
  for (const std::string_view text : texts) result.push_back(*SubjectFilter::parse(text));
  return result;
}

using Set = std::vector<std::size_t>;

// A router over these streams, and the sets that it made known, in order.
class Routed {
 public:
  // `limit`: the sets that are taken; all after them are refused.
  explicit Routed(std::vector<Stream> streams, std::size_t limit = 1'000'000)
      : limit_(limit), router_(std::move(streams), [this](std::span<const std::size_t> set) {
          sets.emplace_back(set.begin(), set.end());
          return add(sets.size() - 1);
        }) {}

  [[nodiscard]] Set match(std::string_view subject) {
    const auto set = router_.match(subject);
    why = set ? MessageFate::kStored : set.error();
    return set ? sets.at(set->value) : Set{};
  }
  std::vector<Set> sets;
  MessageFate why = MessageFate::kStored;  // of the last match()

 private:
  Result<CaptureSetId> add(std::size_t n) const {
    if (n >= limit_) return fail(Errc::kNoSpace, "full");
    return CaptureSetId(static_cast<std::uint32_t>(n));
  }
  std::size_t limit_;
  StreamRouter router_;
};

// One stream for each of the first `count` tokens of a subject: those that are "1" are captured.
std::vector<Stream> streams_by_token(std::size_t count) {
  std::vector<Stream> streams;
  for (std::size_t i = 0; i < count; ++i) {
    std::string filter;
    for (std::size_t before = 0; before < i; ++before) filter += "*.";
    streams.push_back({"s" + std::to_string(i), filters({filter + "1.>"})});
  }
  return streams;
}

std::string subject_of_bits(std::size_t bits, std::size_t count) {
  std::string subject;
  for (std::size_t i = 0; i < count; ++i) subject += (bits >> i & 1U) != 0 ? "1." : "0.";
  return subject + "x";
}

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
  EXPECT_EQ(routed.why, MessageFate::kNoStream);
  EXPECT_EQ(routed.match("syslog"), Set{});
  EXPECT_EQ(routed.why, MessageFate::kNoStream);
}

TEST(StreamRouter, EachStreamAloneIsMadeKnownAtOnceAndOtherSetsOnce) {
  Routed routed({
      {"a", filters({"a.>"})},
      {"b", filters({"*.b"})}
  });
  EXPECT_EQ(routed.sets, (std::vector<Set>{{0}, {1}}));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(routed.match("a.b"), (Set{0, 1}));
    EXPECT_EQ(routed.match("a.c"), (Set{0}));
    EXPECT_EQ(routed.match("x.b"), (Set{1}));
  }
  EXPECT_EQ(routed.sets.size(), 3U);
}

// Not under "no stream": the remedy would be the wrong one.
TEST(StreamRouter, WhatARefusedStreamCapturesIsRefusedUnderItsOwnCause) {
  Routed routed(
      {
          {"a", filters({"a.>"})},
          {"b", filters({"*.b"})}
  },
      1);
  EXPECT_EQ(routed.match("a.c"), (Set{0}));
  for (const std::string_view subject : {"a.b", "x.b"}) {
    EXPECT_EQ(routed.match(subject), Set{});
    EXPECT_EQ(routed.why, MessageFate::kCapturesFull);
  }
  EXPECT_EQ(routed.match("x.y"), Set{});
  EXPECT_EQ(routed.why, MessageFate::kNoStream);
  EXPECT_EQ(routed.sets.size(), 2U);  // asked for once
}

TEST(StreamRouter, OneSetMoreThanALogHoldsIsRefusedAndNotAskedFor) {
  constexpr std::size_t kTokens = 13;
  Routed routed(streams_by_token(kTokens));
  std::size_t taken = 0;
  std::size_t refused = 0;
  for (std::size_t bits = 1; bits < 1U << kTokens; ++bits) {
    const Set set = routed.match(subject_of_bits(bits, kTokens));
    (set.empty() ? refused : taken) += 1;
    EXPECT_EQ(routed.why, set.empty() ? MessageFate::kCapturesFull : MessageFate::kStored);
  }
  EXPECT_EQ(taken, StreamRouter::kSetsMax);
  EXPECT_EQ(routed.sets.size(), StreamRouter::kSetsMax);
  EXPECT_EQ(refused, (1U << kTokens) - 1 - StreamRouter::kSetsMax);
  // What was known stays known.
  EXPECT_EQ(routed.match(subject_of_bits(3, kTokens)), (Set{0, 1}));
}

TEST(StreamRouter, AllStreamsThatThereMayBeCapture) {
  std::vector<Stream> streams;
  for (std::size_t i = 0; i < StreamRouter::kStreamsMax; ++i) {
    streams.push_back({"s" + std::to_string(i), filters({">"})});
  }
  Routed routed(std::move(streams));
  EXPECT_EQ(routed.match("a").size(), kCapturesMax);
}

}  // namespace
}  // namespace penstock
