#include "dataplane/door/pdp/replay_window.h"

#include <limits>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/rng.h"

namespace penstock::pdp {
namespace {

constexpr std::uint64_t kSize = kReplayWindowPackets;
constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(ReplayWindow, TakesNumbersInOrderOnce) {
  ReplayWindow window;
  EXPECT_EQ(window.look(0), Replay::kSeen);
  for (std::uint64_t i = 1; i < 3 * kSize; ++i) {
    EXPECT_EQ(window.look(i), Replay::kNew);
    window.mark(i);
    EXPECT_EQ(window.look(i), Replay::kSeen);
  }
  EXPECT_EQ(window.look(0), Replay::kTooOld);
}

// What the window says is what a set of all numbers that came would say.
class Reference {
 public:
  [[nodiscard]] Replay look(std::uint64_t packet) const {
    if (packet > highest_) return Replay::kNew;
    if (highest_ - packet >= kSize) return Replay::kTooOld;
    return seen_.contains(packet) ? Replay::kSeen : Replay::kNew;
  }
  void mark(std::uint64_t packet) {
    seen_.insert(packet);
    highest_ = std::max(highest_, packet);
  }

 private:
  std::set<std::uint64_t> seen_{0};
  std::uint64_t highest_ = 0;
};

// The window stands at a place, then a number of any distance comes, and all around are asked for.
TEST(ReplayWindow, AgreesWithASetAfterEveryStep) {
  std::uint64_t cases = 0;
  for (const std::uint64_t start : {1, 2, 63, 64, 65, 127, 128, 255, 256, 257, 300, 511, 512}) {
    for (std::uint64_t to = 1; to <= start + 2 * kSize; ++to) {
      ReplayWindow window;
      Reference reference;
      for (const std::uint64_t packet : {start, start / 2 + 1, to}) {
        if (reference.look(packet) != Replay::kNew) continue;
        ASSERT_EQ(window.look(packet), Replay::kNew);
        window.mark(packet);
        reference.mark(packet);
      }
      for (std::uint64_t packet = 0; packet <= start + 3 * kSize; ++packet, ++cases) {
        ASSERT_EQ(window.look(packet), reference.look(packet)) << start << " " << to;
      }
    }
  }
  fmt::print("FIGURE name=pdp_replay_window cases={} failed={}\n", cases, HasFailure() ? 1 : 0);
}

TEST(ReplayWindow, AgreesWithASetWhateverComesInWhateverOrder) {
  Rng rng(3);
  for (int round = 0; round < 100; ++round) {
    ReplayWindow window;
    Reference reference;
    std::uint64_t base = 1;
    for (int i = 0; i < 3000; ++i) {
      base += rng.below(round + 1);
      const std::uint64_t packet = base + rng.below(300);
      ASSERT_EQ(window.look(packet), reference.look(packet));
      if (reference.look(packet) != Replay::kNew) continue;
      window.mark(packet);
      reference.mark(packet);
    }
  }
}

TEST(ReplayWindow, HoldsAtTheEndOfTheNumbers) {
  ReplayWindow window;
  window.mark(1);
  window.mark(kMax - 1);
  window.mark(kMax);
  EXPECT_EQ(window.highest(), kMax);
  EXPECT_EQ(window.look(kMax), Replay::kSeen);
  EXPECT_EQ(window.look(kMax - 1), Replay::kSeen);
  EXPECT_EQ(window.look(kMax - 2), Replay::kNew);
  EXPECT_EQ(window.look(kMax - kSize + 1), Replay::kNew);
  EXPECT_EQ(window.look(kMax - kSize), Replay::kTooOld);
  EXPECT_EQ(window.look(1), Replay::kTooOld);
}

}  // namespace
}  // namespace penstock::pdp
