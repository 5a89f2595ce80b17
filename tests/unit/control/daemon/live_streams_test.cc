#include "control/daemon/live_streams.h"

#include <atomic>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/lib/log_fixture.h"

namespace penstock {
namespace {

using Streams = std::vector<StreamConfig>;

Streams streams(std::initializer_list<std::string> names) {
  Streams all;
  for (const std::string& name : names) all.push_back({.name = name, .subjects = {name + ".>"}});
  return all;
}

class LiveStreamsTest : public testing::Test {
 protected:
  static constexpr std::size_t kRoom = 4;

  // What a shard does: takes a command and answers it.
  static const Routing* obey(Mailbox& mailbox) {
    const auto command = mailbox.commands.pop();
    if (!command) return nullptr;
    const Routing* routing = std::get<RouteBy>(*command).routing;
    EXPECT_TRUE(mailbox.answers.push(RoutesBy{routing}));
    return routing;
  }
  std::vector<std::string> named() {
    std::vector<std::string> names;
    const auto snapshot = LedgerReader::open(path_)->snapshot();
    for (const AccountSnapshot& account : snapshot->accounts) {
      if (account.kind == AccountKind::kStream) names.push_back(account.name);
    }
    return names;
  }

  TestFolder folder_;
  std::string path_ = folder_.path() + "/ledger";
  LiveStreams live_{streams({"a", "b"}), kRoom};
  std::unique_ptr<LedgerFile> ledger_ =
      LedgerFile::create(path_, "node", {{}, {}}, live_.places(), UnixNanos(1)).value();
};

TEST_F(LiveStreamsTest, AStreamKeepsItsPlaceWhereverItStandsAndWhenItComesBack) {
  EXPECT_EQ(live_.newest().streams()[1].place, 1U);
  live_.change(streams({"c", "b"}), *ledger_);
  EXPECT_EQ(live_.newest().streams()[0].place, 2U);
  EXPECT_EQ(live_.newest().streams()[1].place, 1U);
  live_.change(streams({"b", "a"}), *ledger_);
  EXPECT_EQ(live_.newest().streams()[1].place, 0U);
  EXPECT_EQ(named(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(LiveStreamsTest, MoreThanTheLedgerHasRoomForAreRefusedAndNothingChanges) {
  const Routing* before = &live_.newest();
  const auto refused = live_.check_room(streams({"c", "d", "e"}));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::kNoSpace);
  EXPECT_NE(refused.error().what.find("room for 4 streams"), std::string::npos);
  EXPECT_EQ(&live_.newest(), before);
  EXPECT_EQ(named().size(), 2U);
  EXPECT_TRUE(live_.check_room(streams({"c", "d"})));
}

TEST_F(LiveStreamsTest, EveryShardIsToldAndTheChangeIsDoneWhenAllHaveIt) {
  Mailbox& first = live_.join();
  Mailbox& second = live_.join();
  EXPECT_FALSE(live_.step());
  live_.change(streams({"a"}), *ledger_);
  EXPECT_FALSE(live_.step());
  EXPECT_EQ(obey(first), &live_.newest());
  EXPECT_FALSE(live_.step());
  EXPECT_EQ(obey(second), &live_.newest());
  EXPECT_TRUE(live_.step());
  EXPECT_FALSE(live_.step());
  EXPECT_EQ(obey(first), nullptr);
}

// It hears of the newest one only, when it looks again: what came between never was.
TEST_F(LiveStreamsTest, AShardThatDoesNotLookHoldsUpNobodyButItself) {
  Mailbox& quick = live_.join();
  Mailbox& slow = live_.join();
  for (int i = 0; i < 100; ++i) {
    live_.change(streams({i % 2 == 0 ? "a" : "b"}), *ledger_);
    EXPECT_FALSE(live_.step());
    EXPECT_EQ(obey(quick), &live_.newest());
  }
  const Routing* told = obey(slow);
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->streams()[0].name, "a");  // of the first change: it is still there
  EXPECT_FALSE(live_.step());
  EXPECT_EQ(obey(slow), &live_.newest());
  EXPECT_TRUE(live_.step());
}

TEST_F(LiveStreamsTest, AVersionStaysAsLongAsAShardRoutesByIt) {
  constexpr std::uint64_t kChanges = 1000;
  Mailbox& mailbox = live_.join();
  std::atomic<bool> stop{false};
  std::uint64_t obeyed = 0;
  std::uint64_t wrong = 0;
  std::thread shard([&, routing = &live_.newest()]() mutable {
    while (!stop.load(std::memory_order_relaxed)) {
      std::size_t captured = 0;
      routing->matcher().match("both.x", [&](std::uint32_t) { ++captured; });
      wrong += captured != (obeyed == 0 ? 0U : 1U) ? 1U : 0U;
      const Routing* next = obey(mailbox);
      if (next == nullptr) continue;
      routing = next;
      ++obeyed;
    }
  });
  for (std::uint64_t i = 0; i < kChanges; ++i) {
    live_.change(streams({"both", i % 2 == 0 ? "a" : "b"}), *ledger_);
    while (!live_.step()) std::this_thread::yield();
  }
  stop = true;
  shard.join();
  EXPECT_EQ(obeyed, kChanges);
  EXPECT_EQ(wrong, 0U);
  fmt::print("FIGURE name=streams_changed_beside_a_shard cases={} failed={}\n", obeyed, wrong);
}

}  // namespace
}  // namespace penstock
