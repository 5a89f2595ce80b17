#include "storage/log/producer_table.h"

#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/rng.h"

namespace penstock {
namespace {

constexpr SessionNumber kA{0xA};
constexpr SessionNumber kB{0xB};
constexpr SessionNumber kC{0xC};
constexpr UnixNanos kNow{1'000};

// All marks of a session, the nearest first.
using Marks = std::array<std::uint64_t, 4>;
Marks marks(const ProducerTable& table, ProducerIndex producer) {
  const Producer& state = table.at(producer);
  return {state.next, state.placed, state.written, state.durable};
}

// A run that is written and durable.
void store_run(ProducerTable& table, ProducerIndex producer, std::uint64_t sequence,
               std::uint64_t end) {
  table.append(producer, sequence, end, kNow);
  table.place(producer, end);
  table.write(producer, end);
  table.make_durable(producer, end);
}

TEST(ProducerTable, ASessionIsFoundByItsNumberAndBeginsWhereItIsSaid) {
  ProducerTable table(3);
  EXPECT_EQ(table.find(kA), std::nullopt);
  const ProducerIndex a = table.add(kA, 7).value();
  const ProducerIndex b = table.add(kB, 0).value();
  EXPECT_EQ(table.find(kA), a);
  EXPECT_EQ(table.find(kB), b);
  EXPECT_EQ(table.find(kC), std::nullopt);
  EXPECT_EQ(marks(table, a), (Marks{7, 7, 7, 7}));
  EXPECT_EQ(table.at(a).session, kA);
  EXPECT_EQ(table.size(), 2U);
}

TEST(ProducerTable, OfNoCapacityKnowsNobody) {
  ProducerTable table(0);
  EXPECT_EQ(table.find(kA), std::nullopt);
  EXPECT_EQ(table.add(kA, 0).error().code, Errc::kNoSpace);
  table.recall(kA, 0, kNow);
  EXPECT_EQ(table.size(), 0U);
}

TEST(ProducerTable, MarksMoveOneStepAfterTheOther) {
  ProducerTable table(1);
  const ProducerIndex a = table.add(kA, 0).value();
  table.append(a, 0, 10, kNow);
  EXPECT_EQ(marks(table, a), (Marks{10, 0, 0, 0}));
  EXPECT_EQ(table.at(a).last_used, kNow);
  table.append(a, 10, 15, kNow + 1);
  table.place(a, 10);
  EXPECT_EQ(marks(table, a), (Marks{15, 10, 0, 0}));
  table.place(a, 15);
  table.write(a, 10);
  EXPECT_EQ(marks(table, a), (Marks{15, 15, 10, 0}));
  table.write(a, 15);
  table.make_durable(a, 10);
  EXPECT_EQ(marks(table, a), (Marks{15, 15, 15, 10}));
  table.make_durable(a, 15);
  EXPECT_EQ(marks(table, a), (Marks{15, 15, 15, 15}));
}

TEST(ProducerTable, EachUseIsLaterThanTheOneBeforeItThoughTheClockIsSetBack) {
  ProducerTable table(1);
  table.recall(kA, 8, kNow);
  const ProducerIndex a = table.find(kA).value();
  table.append(a, 8, 9, UnixNanos(500));
  EXPECT_EQ(table.at(a).last_used, kNow + 1);
  EXPECT_TRUE(table.append_late(a, 3, UnixNanos(600)));
  EXPECT_EQ(table.at(a).last_used, kNow + 2);
  table.append(a, 9, 10, kNow + 700);
  EXPECT_EQ(table.at(a).last_used, kNow + 700);
}

// A log with synchronous writes says nothing else.
TEST(ProducerTable, WhatIsDurableIsWritten) {
  ProducerTable table(1);
  const ProducerIndex a = table.add(kA, 0).value();
  table.append(a, 0, 10, kNow);
  table.append(a, 10, 15, kNow);
  table.place(a, 10);
  table.place(a, 15);
  table.make_durable(a, 10);
  EXPECT_EQ(marks(table, a), (Marks{15, 15, 10, 10}));
  table.set_next(a, 20);
  table.make_durable(a, 15);
  EXPECT_EQ(marks(table, a), (Marks{20, 20, 20, 20}));
}

TEST(ProducerTable, WhatIsLeftOutWithNothingInFlightIsPassedAtOnce) {
  ProducerTable table(1);
  const ProducerIndex a = table.add(kA, 5).value();
  table.set_next(a, 20);
  EXPECT_EQ(marks(table, a), (Marks{20, 20, 20, 20}));
  table.set_next(a, 20);
  EXPECT_EQ(marks(table, a), (Marks{20, 20, 20, 20}));
  store_run(table, a, 20, 30);
  table.set_next(a, 40);
  EXPECT_EQ(marks(table, a), (Marks{40, 40, 40, 40}));
}

TEST(ProducerTable, WhatIsLeftOutBehindARunInFlightIsPassedWithTheRun) {
  ProducerTable table(1);
  const ProducerIndex a = table.add(kA, 0).value();
  table.append(a, 0, 10, kNow);
  table.set_next(a, 20);
  EXPECT_EQ(marks(table, a), (Marks{20, 0, 0, 0}));
  table.place(a, 10);
  EXPECT_EQ(marks(table, a), (Marks{20, 20, 0, 0}));
  table.set_next(a, 25);
  EXPECT_EQ(marks(table, a), (Marks{25, 25, 0, 0}));
  table.write(a, 10);
  table.make_durable(a, 10);
  EXPECT_EQ(marks(table, a), (Marks{25, 25, 25, 25}));
}

TEST(ProducerTable, WhatIsLeftOutBetweenTwoRunsIsPassedWithTheSecond) {
  ProducerTable table(1);
  const ProducerIndex a = table.add(kA, 0).value();
  table.append(a, 0, 10, kNow);
  table.append(a, 20, 30, kNow);  // says by itself that ten are left out
  table.place(a, 10);
  table.write(a, 10);
  table.make_durable(a, 10);
  EXPECT_EQ(marks(table, a), (Marks{30, 10, 10, 10}));
  table.place(a, 30);
  table.write(a, 30);
  table.make_durable(a, 30);
  EXPECT_EQ(marks(table, a), (Marks{30, 30, 30, 30}));
}

TEST(ProducerTable, AfterAFailedWriteWhatIsNotDurableHasNoPlace) {
  ProducerTable table(2);
  const ProducerIndex a = table.add(kA, 0).value();
  const ProducerIndex b = table.add(kB, 0).value();
  store_run(table, b, 0, 4);
  table.set_next(b, 6);
  store_run(table, a, 0, 10);
  table.append(a, 10, 20, kNow);
  table.set_next(a, 25);
  table.place(a, 20);
  table.write(a, 20);
  EXPECT_EQ(marks(table, a), (Marks{25, 25, 25, 10}));
  table.start_over();
  EXPECT_EQ(marks(table, a), (Marks{25, 10, 10, 10}));
  EXPECT_EQ(marks(table, b), (Marks{6, 6, 6, 6}));
  table.place(a, 20);
  table.write(a, 20);
  table.make_durable(a, 20);
  EXPECT_EQ(marks(table, a), (Marks{25, 25, 25, 25}));
}

TEST(ProducerTable, TheSessionWhoseUseEndedFirstGivesWay) {
  ProducerTable table(3);
  const ProducerIndex a = table.add(kA, 0).value();
  static_cast<void>(table.add(kB, 0).value());
  static_cast<void>(table.add(kC, 0).value());
  store_run(table, a, 0, 1);  // a is used again
  const ProducerIndex d = table.add(SessionNumber(0xD), 9).value();
  EXPECT_EQ(table.find(kB), std::nullopt);
  EXPECT_EQ(table.find(kA), a);
  EXPECT_EQ(marks(table, d), (Marks{9, 9, 9, 9}));
  EXPECT_EQ(table.forgotten(), 1U);
  EXPECT_EQ(table.size(), 3U);
}

TEST(ProducerTable, APinnedSessionAndOneWithARunInFlightStay) {
  ProducerTable table(2);
  const ProducerIndex a = table.add(kA, 0).value();
  const ProducerIndex b = table.add(kB, 0).value();
  table.pin(a);
  table.pin(a);  // by a second connection, before the first one left
  table.append(b, 0, 5, kNow);
  EXPECT_EQ(table.add(kC, 0).error().code, Errc::kNoSpace);
  table.unpin(a);
  EXPECT_EQ(table.add(kC, 0).error().code, Errc::kNoSpace);
  table.place(b, 5);
  table.write(b, 5);
  table.make_durable(b, 5);
  EXPECT_EQ(table.add(kC, 0).value(), b);
  EXPECT_EQ(table.find(kB), std::nullopt);
  table.unpin(a);
  EXPECT_TRUE(table.add(kB, 3).has_value());
  EXPECT_EQ(table.find(kA), a) << "its use ended after that of the other";
  EXPECT_EQ(table.find(kC), std::nullopt);
}

TEST(ProducerTable, APlaceInTheLogIsRememberedAndASessionWithoutOneIsNot) {
  ProducerTable table(4);
  static_cast<void>(table.add(kA, 5).value());
  const ProducerIndex b = table.add(kB, 5).value();
  table.recall(kC, 8, UnixNanos(77));
  table.append(b, 5, 6, kNow);
  std::map<SessionNumber, std::uint64_t> logged;
  const auto look = [&] {
    logged.clear();
    table.each_logged([&](const Producer& state) { logged[state.session] = state.placed; });
    return logged;
  };
  using Logged = std::map<SessionNumber, std::uint64_t>;
  EXPECT_EQ(look(), (Logged{
                        {kC, 8}
  }));
  table.place(b, 6);
  EXPECT_EQ(look(), (Logged{
                        {kB, 6},
                        {kC, 8}
  }));
  EXPECT_EQ(table.at(table.find(kC).value()).last_used, UnixNanos(77));
}

// ---- Late runs: behind others with higher numbers, as fire and forget allows -------------------

// Where each session goes on that an index would name now.
std::map<SessionNumber, std::uint64_t> logged(const ProducerTable& table) {
  std::map<SessionNumber, std::uint64_t> found;
  table.each_logged([&](const Producer& state) { found[state.session] = state.placed; });
  return found;
}

TEST(ProducerTable, ALateRunIsPassedByOneThatEndsBehindIt) {
  ProducerTable table(1);
  const ProducerIndex a = table.add(kA, 0).value();
  store_run(table, a, 5, 10);
  EXPECT_TRUE(table.append_late(a, 3, kNow + 1));
  EXPECT_TRUE(table.append_late(a, 5, kNow + 1));
  EXPECT_EQ(marks(table, a), (Marks{10, 10, 10, 10}));
  EXPECT_EQ(table.at(a).last_used, kNow + 1);
}

TEST(ProducerTable, ALateRunIsNotPassedByOnesThatWereRefused) {
  ProducerTable table(1);
  const ProducerIndex a = table.add(kA, 0).value();
  store_run(table, a, 0, 2);
  table.set_next(a, 20);
  EXPECT_FALSE(table.append_late(a, 10, kNow));
  EXPECT_TRUE(table.append_late(a, 5, kNow)) << "the late one ends behind it";
  EXPECT_FALSE(table.append_late(a, 15, kNow));
  EXPECT_EQ(marks(table, a), (Marks{20, 20, 20, 20}));
  EXPECT_EQ(logged(table), (std::map<SessionNumber, std::uint64_t>{
                               {kA, 20}
  }));
}

TEST(ProducerTable, ALateRunInFrontOfWhatTheLogKnewIsPassed) {
  ProducerTable table(1);
  table.recall(kA, 8, kNow);
  EXPECT_TRUE(table.append_late(table.find(kA).value(), 7, kNow));
}

// All that it followed was refused: its session has no other run, and would be given up unnamed.
TEST(ProducerTable, ALateRunThatIsTheOnlyOneOfItsSessionIsRemembered) {
  ProducerTable table(1);
  const ProducerIndex a = table.add(kA, 0).value();
  table.set_next(a, 20);
  EXPECT_TRUE(logged(table).empty());
  EXPECT_FALSE(table.append_late(a, 7, kNow));
  table.place(a, 0);
  EXPECT_EQ(logged(table), (std::map<SessionNumber, std::uint64_t>{
                               {kA, 20}
  }));
  EXPECT_EQ(table.at(a).last_used, kNow);
}

// Else an index would leave the session out that the block with its run is named by.
TEST(ProducerTable, ASessionWhoseOnlyRunIsALateOneStaysUntilThatIsDurable) {
  ProducerTable table(1);
  const ProducerIndex a = table.add(kA, 0).value();
  table.set_next(a, 20);
  EXPECT_FALSE(table.append_late(a, 7, kNow));
  EXPECT_EQ(table.add(kB, 0).error().code, Errc::kNoSpace);
  table.place(a, 0);
  table.write(a, 0);
  table.start_over();
  table.place(a, 0);
  table.write(a, 0);
  EXPECT_EQ(table.add(kB, 0).error().code, Errc::kNoSpace);
  EXPECT_EQ(marks(table, a), (Marks{20, 20, 20, 20}));
  table.make_durable(a, 0);
  EXPECT_TRUE(table.add(kB, 0).has_value());
  EXPECT_EQ(table.find(kA), std::nullopt);
}

TEST(ProducerTable, OfMoreSessionsThanThereIsRoomForTheOnesRecalledLastStay) {
  ProducerTable table(3);
  for (std::uint64_t i = 0; i < 8; ++i) table.recall(SessionNumber(i), i, kNow);
  for (std::uint64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(table.find(SessionNumber(i)).has_value(), i >= 5) << i;
  }
  EXPECT_EQ(table.forgotten(), 5U);
}

// Sessions that come, go and come back, many of them with the same place in the table.
TEST(ProducerTable, FindsWhatItKnowsAndNothingElseWhateverCameAndWent) {
  constexpr std::size_t kCapacity = 60;
  constexpr unsigned kSteps = 200'000;
  Rng rng(5);
  ProducerTable table(kCapacity, rng.next());
  std::map<SessionNumber, std::uint64_t> known;  // where each began
  std::size_t failed = 0;
  std::vector<SessionNumber> order;  // whose use ended first
  for (unsigned step = 0; step < kSteps; ++step) {
    const SessionNumber session(rng.below(150) << (rng.chance(500'000) ? 40U : 0U));
    const auto found = table.find(session);
    const auto expected = known.find(session);
    if (found.has_value() != (expected != known.end())) ++failed;
    if (found) {
      failed += table.at(*found).next == expected->second ? 0U : 1U;
      if (rng.chance(300'000)) {
        store_run(table, *found, expected->second, expected->second + 1);
        ++expected->second;
        std::erase(order, session);
        order.push_back(session);
      }
      continue;
    }
    static_cast<void>(table.add(session, step).value());
    if (known.size() == kCapacity) {
      known.erase(order.front());
      order.erase(order.begin());
    }
    known[session] = step;
    order.push_back(session);
  }
  fmt::print("FIGURE name=producer_table_lookups cases={} failed={}\n", kSteps, failed);
  EXPECT_EQ(failed, 0U);
  EXPECT_EQ(table.size(), kCapacity);
}

}  // namespace
}  // namespace penstock
