#include "storage/recover/producer_shards.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using Known = std::vector<LogStart::Producer>;

LogStart::Producer known(std::uint64_t session, std::uint64_t next, std::int64_t used = 0) {
  return {SessionNumber(session), next, UnixNanos(used)};
}

TEST(AssignProducers, EachSessionGoesToTheShardOfItsNumber) {
  const Known log0{known(4, 10, 1), known(6, 20, 2)};
  const Known log1{known(5, 30, 1)};
  const auto assigned = assign_producers(
      std::array{
          LogProducers{0, log0},
          LogProducers{1, log1}
  },
      2);
  EXPECT_EQ(assigned, (std::vector<Known>{log0, log1}));
}

// An older life of the session may have had greater sequences.
TEST(AssignProducers, OfWhatSeveralLogsKnowTheOneThatWasUsedLastCounts) {
  const Known log0{known(2, 10, 9)};
  const Known orphan{known(2, 30, 4)};
  const Known other{known(2, 20, 5)};
  const auto assigned = assign_producers(
      std::array{
          LogProducers{std::nullopt, orphan},
          LogProducers{0,            log0  },
          LogProducers{std::nullopt, other }
  },
      1);
  EXPECT_EQ(assigned, (std::vector<Known>{{known(2, 10, 9)}}));
}

// Without a new run in between, the logs differ by what the producer left out at most.
TEST(AssignProducers, OfWhatWasUsedAtTheSameTimeTheFurthestCounts) {
  const Known log0{known(3, 10, 9), known(5, 7, 0)};
  const Known log1{known(3, 15, 9), known(5, 6, 0)};
  const auto assigned = assign_producers(
      std::array{
          LogProducers{0, log0},
          LogProducers{1, log1}
  },
      2);
  EXPECT_EQ(assigned, (std::vector<Known>{
                          {known(5, 7, 0), known(3, 15, 9)},
                          {known(5, 7, 0), known(3, 15, 9)}
  }));
}

// Its clock was set back when the session had gone to another log, whose index does not name it
// yet: its first run there begins where the other one ended.
TEST(AssignProducers, ASessionThatWentOnInAnotherLogIsNotTakenBackByTheClock) {
  const Known log0{known(3, 10, 1'000)};
  Known log1{known(3, 20, 900)};
  log1[0].begun = 10;
  Known log2{known(3, 25, 800)};
  log2[0].begun = 20;
  const auto assigned = assign_producers(
      std::array{
          LogProducers{std::nullopt, log2},
          LogProducers{std::nullopt, log0},
          LogProducers{0,            log1}
  },
      1);
  ASSERT_EQ(assigned[0].size(), 1U);
  EXPECT_EQ(assigned[0][0].next_sequence, 25U);
  EXPECT_GT(assigned[0][0].last_used, UnixNanos(1'000)) << "the next use is later still";
}

// One shard before, three now: until the others have closed a segment only log 0 remembers.
TEST(AssignProducers, WithMoreShardsTheLogGoesOnKnowingWhatItKnewBehindWhatIsItsOwn) {
  const Known log0{known(3, 1, 10), known(4, 2, 20), known(5, 3, 30), known(6, 4, 40)};
  const auto assigned = assign_producers(
      std::array{
          LogProducers{0, log0},
          LogProducers{1, {}  },
          LogProducers{2, {}  }
  },
      3);
  EXPECT_EQ(assigned, (std::vector<Known>{
                          {known(4, 2, 20), known(5, 3, 30), known(3, 1, 10), known(6, 4, 40)},
                          {known(4, 2, 20)},
                          {known(5, 3, 30)}
  }));
}

TEST(AssignProducers, WithFewerShardsTheLogsThatNobodyWritesAnyMoreAreNotForgotten) {
  const Known log0{known(3, 1, 10)};
  const Known orphan1{known(4, 2, 5)};
  const Known orphan2{known(5, 3, 20)};
  const auto assigned = assign_producers(
      std::array{
          LogProducers{0,            log0   },
          LogProducers{std::nullopt, orphan1},
          LogProducers{std::nullopt, orphan2}
  },
      1);
  EXPECT_EQ(assigned, (std::vector<Known>{
                          {known(4, 2, 5), known(3, 1, 10), known(5, 3, 20)}
  }))
      << "the one used last at the end";
}

TEST(AssignProducers, WithoutLogsThereIsNothing) {
  EXPECT_EQ(assign_producers({}, 2), (std::vector<Known>{{}, {}}));
}

}  // namespace
}  // namespace penstock
