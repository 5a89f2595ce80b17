#include "dataplane/subject/route_cache.h"

#include <string>

#include <gtest/gtest.h>

#include "base/rng.h"

namespace penstock {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kSubjectBytes = 40;

std::span<const std::byte> key(std::string_view text) { return std::as_bytes(std::span(text)); }

RouteCache make(std::size_t entries, std::uint64_t seed = 1) {
  return {kKeyBytes, kSubjectBytes, seed, entries};
}

// Whether the sender's route was known; if not, it is offered to the cache.
bool ask(RouteCache& cache, const std::string& sender) {
  if (const Route* known = cache.find(key(sender))) {
    EXPECT_EQ(known->subject, "s." + sender);
    return true;
  }
  const std::string subject = "s." + sender;
  EXPECT_EQ(cache.keep(key(sender), {subject, CaptureSetId(1)})->subject, subject);
  return false;
}

TEST(RouteCache, WhatIsKeptIsFound) {
  RouteCache cache = make(4);
  EXPECT_EQ(cache.find(key("one")), nullptr);
  const std::string subject = "subject.one";
  const Route* kept = cache.keep(key("one"), {subject, CaptureSetId(7)});
  EXPECT_EQ(kept->subject, subject);
  EXPECT_NE(kept->subject.data(), subject.data());  // a copy of its own
  EXPECT_EQ(kept->set, CaptureSetId(7));
  EXPECT_EQ(cache.find(key("one")), kept);
  EXPECT_EQ(cache.find(key("on")), nullptr);
  EXPECT_EQ(cache.find(key("one1")), nullptr);
}

TEST(RouteCache, TheLongestAreKeptLikeAnyOther) {
  RouteCache cache = make(4);
  const std::string longest_key(kKeyBytes, 'k');
  const std::string longest(kSubjectBytes, 's');
  EXPECT_EQ(cache.find(key(longest_key)), nullptr);
  static_cast<void>(cache.keep(key(longest_key), {longest, CaptureSetId(0)}));
  const Route* found = cache.find(key(longest_key));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->subject, longest);
}

TEST(RouteCache, EveryPlaceIsUsed) {
  constexpr unsigned kEntries = 4096;
  RouteCache cache = make(kEntries);
  for (unsigned i = 0; i < 16 * kEntries; ++i) ask(cache, std::to_string(i));
  unsigned found = 0;
  for (unsigned i = 0; i < 16 * kEntries; ++i) {
    if (cache.find(key(std::to_string(i))) != nullptr) ++found;
  }
  EXPECT_EQ(found, kEntries);
}

TEST(RouteCache, ASubjectThatIsItsKeyIsKeptOnce) {
  constexpr unsigned kEntries = 1024;
  RouteCache cache(1024, 0, 1, kEntries);
  EXPECT_EQ(cache.capacity(), kEntries) << "as many as there is room for with half of the bytes";
  const auto subject = [](unsigned i) { return std::to_string(i) + std::string(1000, 's'); };
  for (unsigned i = 0; i < 16 * kEntries; ++i) {
    const std::string asked = subject(i);
    if (cache.find(key(asked)) != nullptr) continue;
    EXPECT_EQ(cache.keep(key(asked), {asked, CaptureSetId(i)})->subject, asked);
  }
  unsigned found = 0;
  for (unsigned i = 0; i < 16 * kEntries; ++i) {
    const std::string asked = subject(i);
    const Route* route = cache.find(key(asked));
    if (route == nullptr) continue;
    ++found;
    EXPECT_EQ(route->subject, asked);
    EXPECT_NE(route->subject.data(), asked.data());
    EXPECT_EQ(route->set, CaptureSetId(i));
  }
  EXPECT_EQ(found, kEntries);
}

// A cache of few places is nothing but collisions: it forgets, it does not mix up.
TEST(RouteCache, CollidingKeysGiveTheirOwnRoutesOrNone) {
  for (const std::size_t entries : {1U, 4U, 64U}) {
    RouteCache cache = make(entries);
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

// A thousand senders take turns; between any two of their messages come some of strangers, who
// never use a name twice.
TEST(RouteCache, AFloodOfStrangersCostsKnownSendersLittle) {
  constexpr unsigned kSenders = 1000;
  constexpr unsigned kRounds = 100;
  for (const unsigned strangers : {0U, 1U, 4U, 16U}) {
    RouteCache cache = make(4096);
    unsigned stranger = 0;
    unsigned missed = 0;
    for (unsigned round = 0; round < kRounds; ++round) {
      for (unsigned sender = 0; sender < kSenders; ++sender) {
        if (!ask(cache, "known" + std::to_string(sender)) && round >= 10) ++missed;
        for (unsigned i = 0; i < strangers; ++i) ask(cache, "x" + std::to_string(stranger++));
      }
    }
    EXPECT_LT(missed, kSenders * (kRounds - 10) / 10) << strangers;
  }
}

TEST(RouteCache, SendersThatStoppedGiveWayToNewOnes) {
  constexpr unsigned kSenders = 256;
  RouteCache cache = make(kSenders);
  for (unsigned i = 0; i < 16 * kSenders; ++i) ask(cache, "old" + std::to_string(i % kSenders));
  unsigned known = 0;
  for (unsigned round = 0; round < 1000; ++round) {
    known = 0;
    for (unsigned i = 0; i < kSenders / 8; ++i) known += ask(cache, "new" + std::to_string(i));
  }
  EXPECT_EQ(known, kSenders / 8);
}

// Which keys share places follows from the seed alone: who does not know it cannot choose them.
TEST(RouteCache, WhoSharesPlacesDependsOnTheSeed) {
  const auto survivors = [](std::uint64_t seed) {
    RouteCache cache = make(64, seed);
    std::string bits;
    for (unsigned i = 0; i < 256; ++i) ask(cache, std::to_string(i));
    for (unsigned i = 0; i < 256; ++i) {
      bits += cache.find(key(std::to_string(i))) != nullptr ? '1' : '0';
    }
    return bits;
  };
  EXPECT_EQ(survivors(1), survivors(1));
  EXPECT_NE(survivors(1), survivors(2));
}

TEST(RouteCache, ItTakesNoMoreMemoryThanStated) {
  RouteCache cache(1000, 1024, 1, 1'000'000);
  // Places times bytes: as many fit as a power of two does.
  for (unsigned i = 0; i < 10'000; ++i) ask(cache, std::to_string(i));
  unsigned found = 0;
  for (unsigned i = 0; i < 10'000; ++i) {
    if (cache.find(key(std::to_string(i))) != nullptr) ++found;
  }
  EXPECT_LE(found * 2024, RouteCache::kMemoryMax);
  EXPECT_GT(found * 2024, RouteCache::kMemoryMax / 4);
}

}  // namespace
}  // namespace penstock
