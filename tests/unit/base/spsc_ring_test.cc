#include "base/spsc_ring.h"

#include <cstdio>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(SpscRing, GivesBackInOrderWhatItTook) {
  SpscRing<int> ring(3);
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.pop(), std::nullopt);
  EXPECT_TRUE(ring.push(1));
  EXPECT_TRUE(ring.push(2));
  EXPECT_FALSE(ring.empty());
  EXPECT_EQ(ring.pop(), 1);
  EXPECT_EQ(ring.pop(), 2);
  EXPECT_EQ(ring.pop(), std::nullopt);
}

TEST(SpscRing, RefusesWhenFullAndTakesAgainAfterwards) {
  SpscRing<int> ring(2);
  EXPECT_EQ(ring.free(), 2U);
  EXPECT_TRUE(ring.push(1));
  EXPECT_TRUE(ring.push(2));
  EXPECT_EQ(ring.free(), 0U);
  EXPECT_FALSE(ring.push(3));
  EXPECT_EQ(ring.pop(), 1);
  EXPECT_EQ(ring.free(), 1U);
  EXPECT_TRUE(ring.push(4));
  EXPECT_EQ(ring.pop(), 2);
  EXPECT_EQ(ring.pop(), 4);
}

TEST(SpscRing, GoesRoundItsEndAtEveryFillLevel) {
  for (std::size_t capacity = 1; capacity <= 5; ++capacity) {
    for (std::size_t level = 1; level <= capacity; ++level) {
      SpscRing<std::size_t> ring(capacity);
      std::size_t pushed = 0;
      std::size_t popped = 0;
      while (popped < 4 * capacity) {
        while (pushed - popped < level) EXPECT_TRUE(ring.push(pushed++));
        EXPECT_EQ(ring.free(), capacity - level);
        EXPECT_EQ(ring.pop(), popped++);
      }
    }
  }
}

TEST(SpscRing, MovesElementsAndKeepsNoneBehind) {
  SpscRing<std::shared_ptr<int>> ring(2);
  auto element = std::make_shared<int>(7);
  const std::weak_ptr<int> alive = element;
  EXPECT_TRUE(ring.push(std::move(element)));
  EXPECT_EQ(*ring.pop().value(), 7);
  EXPECT_TRUE(alive.expired());
}

TEST(SpscRing, LosesAndInventsNothingBetweenTwoThreads) {
  constexpr std::uint64_t kElements = 200'000;
  SpscRing<std::unique_ptr<std::uint64_t>> ring(16);
  std::thread producer([&] {
    for (std::uint64_t i = 0; i < kElements; ++i) {
      // A refused element is gone with the call: it is made anew.
      while (!ring.push(std::make_unique<std::uint64_t>(i))) std::this_thread::yield();
    }
  });
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < kElements;) {
    if (const auto element = ring.pop()) {
      wrong += **element == i++ ? 0U : 1U;
    } else {
      std::this_thread::yield();
    }
  }
  producer.join();
  std::printf("FIGURE name=spsc_ring_two_threads cases=%llu failed=%llu\n",
              static_cast<unsigned long long>(kElements), static_cast<unsigned long long>(wrong));
  EXPECT_EQ(wrong, 0U);
  EXPECT_TRUE(ring.empty());
}

}  // namespace
}  // namespace penstock
