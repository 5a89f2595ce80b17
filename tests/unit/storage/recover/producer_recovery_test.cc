// How far each producer's session is, as recovery finds it.
#include "tests/unit/storage/recover/damage_fixture.h"

namespace penstock {
namespace {

constexpr SessionNumber kA{0xA};
constexpr SessionNumber kB{0xB};

class ProducerRecovery : public DamageTest {
 protected:
  void run(SessionNumber session, std::uint64_t sequence, std::uint32_t count = 5) {
    forge_.run(session, sequence, count);
    forge_.seal();
  }
  static std::optional<std::uint64_t> next(const RecoveredVolume& recovered,
                                           SessionNumber session) {
    const auto& known = recovered.logs.at(kLog).start.producers;
    const auto found = std::ranges::find(known, session, &LogStart::Producer::session);
    if (found == known.end()) return std::nullopt;
    return found->next_sequence;
  }
};

TEST_F(ProducerRecovery, ASessionGoesOnBehindItsLastRun) {
  forge_.begin(0);
  run(kA, 0);
  run(kB, 1'000, 3);
  forge_.block();
  run(kA, 5, 7);
  forge_.seal();
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(next(recovered, kA), 12U);
  EXPECT_EQ(next(recovered, kB), 1'003U);
  const auto& known = recovered.logs.at(kLog).start.producers;
  ASSERT_EQ(known.size(), 2U);
  EXPECT_EQ(known.back().session, kA) << "the one used last";
  EXPECT_GT(known.back().last_used, known.front().last_used);
}

TEST_F(ProducerRecovery, ARunInATornTailDoesNotCount) {
  forge_.begin(0);
  run(kA, 0);
  run(kA, 5);
  run(kB, 0);
  slot(0)[forge_.last_offset + 200] ^= std::byte{1};
  RecoveredVolume recovered = recover();
  EXPECT_EQ(next(recovered, kA), 10U);
  EXPECT_EQ(next(recovered, kB), std::nullopt);
}

TEST_F(ProducerRecovery, WhatLiesBehindATornBlockDoesNotCountEither) {
  forge_.begin(0);
  run(kA, 0);
  run(kA, 5);
  const std::size_t torn = forge_.last_offset;
  forge_.run(kA, 10, 5);
  forge_.seal(BlockSequence(1));
  slot(0)[torn + 200] ^= std::byte{1};
  EXPECT_EQ(next(recover(), kA), 5U);
}

// The only runs of A were in the first segment.
TEST_F(ProducerRecovery, ASessionWhoseRunsWereRetiredIsStillKnown) {
  forge_.begin(0);
  run(kA, 0);
  forge_.close();
  for (std::uint32_t i = 1; i < 4; ++i) {
    forge_.begin(i, i);
    run(kB, i * 5);
    forge_.close();
    say_free(i - 1);
  }
  forge_.begin(4, 4);
  run(kB, 20);
  const RecoveredVolume recovered = recover();
  EXPECT_TRUE(recovered.findings.empty());
  EXPECT_EQ(recovered.logs.at(kLog).segments.size(), 2U);
  EXPECT_EQ(next(recovered, kA), 5U);
  EXPECT_EQ(next(recovered, kB), 25U);
}

TEST_F(ProducerRecovery, TheIndexAloneIsReadForWhatIsClosed) {
  for (std::uint32_t i = 0; i < 5; ++i) {
    forge_.begin(i);
    run(kA, i * 5);
    forge_.close();
  }
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(next(recovered, kA), 25U);
  EXPECT_LT(recovered.bytes_read, 1 * kMiB);
}

TEST_F(ProducerRecovery, WhatAProducerLeftOutIsInTheIndexOfTheSegmentThatIsClosedNext) {
  forge_.begin(0);
  run(kA, 0);
  forge_.producers().set_next(forge_.producers().find(kA).value(), 50);
  EXPECT_EQ(next(recover(), kA), 5U) << "nothing of it is written yet";
  forge_.close();
  EXPECT_EQ(next(recover(), kA), 50U);
  forge_.begin(1);
  run(kA, 60);
  EXPECT_EQ(next(recover(), kA), 65U);
}

TEST_F(ProducerRecovery, WithoutAWholeIndexTheBlocksTell) {
  forge_.begin(0);
  run(kA, 0);
  forge_.close();
  forge_.begin(1);
  run(kB, 7);
  forge_.close();
  forge_.begin(2);
  run(kB, 12);
  slot(1)[decode_segment_footer(slot(1).last(kPageBytes))->index_position * kPageBytes + 5] ^=
      std::byte{1};
  RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptFooter});
  EXPECT_EQ(next(recovered, kA), 5U) << "by the index in front of it";
  EXPECT_EQ(next(recovered, kB), 17U);
  slot(0)[decode_segment_footer(slot(0).last(kPageBytes))->index_position * kPageBytes + 5] ^=
      std::byte{1};
  recovered = recover();
  EXPECT_EQ(next(recovered, kA), 5U) << "by its blocks";
  EXPECT_EQ(next(recovered, kB), 17U);
}

// A write failed in slot 0 after its block had landed; slot 1 has another run in its place.
TEST_F(ProducerRecovery, RunsInVoidBlocksDoNotCount) {
  forge_.begin(0);
  run(kA, 0);
  const ForgePlace good = forge_.place;
  run(kA, 5);
  run(kB, 0);
  LogForge again(volume_, good, 2, "all", Offset(5));
  again.begin(1);
  again.run(kA, 5, 2);
  again.seal();
  const RecoveredVolume recovered = recover();
  EXPECT_TRUE(recovered.findings.empty());
  EXPECT_EQ(next(recovered, kA), 7U);
  EXPECT_EQ(next(recovered, kB), std::nullopt);
}

TEST_F(ProducerRecovery, RunsInAVoidSegmentDoNotCount) {
  forge_.begin(0);
  run(kA, 0);
  const ForgePlace good = forge_.place;
  forge_.begin(1);
  run(kA, 5);
  LogForge again(volume_, good, 3, "all", Offset(5));
  again.begin(2);
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(recovered.void_slots, std::vector<SlotIndex>{SlotIndex(1)});
  EXPECT_EQ(next(recovered, kA), 5U);
}

// Whether they were durable cannot be told: who still has them sends them again.
TEST_F(ProducerRecovery, RunsInASlotWithoutAReadableHeaderDoNotCount) {
  forge_.begin(0);
  run(kA, 0);
  forge_.close();
  forge_.begin(1);
  run(kA, 5);
  slot(1)[100] ^= std::byte{1};
  EXPECT_EQ(next(recover(), kA), 5U);
}

// A crash left a block behind one that was torn, and the slot of those that follow lost its header.
// Nothing says that any of them was durable; their numbers are not given again.
TEST_F(ProducerRecovery, WhatACrashLeftBehindTheEndOfTheLogNeverJoinsIt) {
  forge_.begin(0);
  run(kA, 0);
  const ForgePlace good = forge_.place;
  for (const std::uint64_t sequence : {5U, 10U}) {
    forge_.run(kA, sequence, 5);
    forge_.seal(good.sequence);
    if (sequence == 5) slot(0)[forge_.last_offset + 200] ^= std::byte{1};
  }
  forge_.begin(1);
  forge_.run(kA, 15, 5);
  forge_.seal(good.sequence);
  slot(1)[100] ^= std::byte{1};
  RecoveredVolume recovered = recover();
  EXPECT_EQ(next(recovered, kA), 5U);
  const BlockSequence end = recovered.logs.at(kLog).start.next_sequence;
  EXPECT_EQ(end, forge_.place.sequence);
  EXPECT_EQ(recovered.logs.at(kLog).start.last_crc, good.crc);

  LogForge again(volume_, {end, good.crc}, 9, "all", Offset(100));
  again.begin(2);
  again.block();
  again.block();
  recovered = recover();
  EXPECT_EQ(next(recovered, kA), 5U);
  EXPECT_EQ(recovered.logs.at(kLog).start.next_sequence, again.place.sequence);
}

TEST_F(ProducerRecovery, ADamagedBlockInTheMiddleTakesNothingFromTheRunsBehindIt) {
  forge_.begin(0);
  run(kA, 0);
  run(kB, 0);
  const std::size_t damaged = forge_.last_offset;
  run(kA, 5);
  forge_.seal();
  slot(0)[damaged + 200] ^= std::byte{1};
  const RecoveredVolume recovered = recover();
  EXPECT_EQ(kinds(recovered), Kinds{Finding::Kind::kCorruptBlock});
  EXPECT_EQ(next(recovered, kA), 10U);
  EXPECT_EQ(next(recovered, kB), std::nullopt);
}

// It was given up and came back with lower numbers: the last run counts, as it did for the node.
TEST_F(ProducerRecovery, ASessionThatBeganAgainGoesOnBehindItsLastRunAllTheSame) {
  forge_.begin(0);
  run(kA, 100);
  forge_.close();
  LogForge again(volume_, forge_.place, 2, "all", Offset(forge_.place.sequence.value + 4));
  again.begin(1);
  again.run(kA, 50, 5);
  again.seal();
  EXPECT_EQ(next(recover(), kA), 55U);
}

// Else what another log knows of an earlier use would count.
TEST_F(ProducerRecovery, ARunBehindTheIndexIsALaterUseThoughTheClockWasSetBack) {
  forge_.begin(0);
  const UnixNanos before(forge_.time);
  run(kA, 0);
  forge_.close();
  forge_.begin(1);
  forge_.time = before.value - 900'000;
  run(kA, 5);
  const auto producers = recover().logs.at(kLog).start.producers;
  ASSERT_EQ(producers.size(), 1U);
  EXPECT_EQ(producers[0].next_sequence, 10U);
  EXPECT_EQ(producers[0].begun, 5U);
  EXPECT_GT(producers[0].last_used, before);
}

// Fire and forget: what was missing came behind what follows it.
TEST_F(ProducerRecovery, ALateRunDoesNotTakeItsSessionBack) {
  forge_.begin(0);
  run(kA, 0, 2);
  run(kA, 7, 3);
  run(kA, 2, 5);
  EXPECT_EQ(next(recover(), kA), 10U);
  forge_.close();
  forge_.begin(1);
  run(kA, 20, 1);
  run(kA, 12, 3);
  EXPECT_EQ(next(recover(), kA), 21U);
}

TEST_F(ProducerRecovery, ALateRunAloneBehindTheLastIndexDoesNotEither) {
  forge_.begin(0);
  run(kA, 0, 2);
  run(kA, 7, 3);
  forge_.close();
  forge_.begin(1);
  run(kA, 2, 5);
  const RecoveredVolume recovered = recover();
  EXPECT_TRUE(recovered.findings.empty());
  EXPECT_EQ(next(recovered, kA), 10U);
}

// The run that passed it is damaged: its numbers are not given again all the same.
TEST_F(ProducerRecovery, ALateRunTellsOfItsSessionWhatALostBlockDoesNotAnyMore) {
  std::size_t damaged = 0;
  const auto pass = [&](std::uint32_t number, std::uint64_t first) {
    run(kA, first + 5, 3);
    damaged = forge_.last_offset;
    run(kA, first, 4);
    forge_.seal();
    slot(number)[damaged + 200] ^= std::byte{1};
  };
  forge_.begin(0);
  run(kA, 0, 2);
  pass(0, 2);
  EXPECT_EQ(next(recover(), kA), 6U);
  run(kA, 11, 2);
  EXPECT_EQ(next(recover(), kA), 13U);
  slot(0)[damaged + 200] ^= std::byte{1};
  forge_.close();
  forge_.begin(1);
  pass(1, 13);
  EXPECT_EQ(next(recover(), kA), 17U) << "the index says less";
  run(kB, 5, 3);
  damaged = forge_.last_offset;
  run(kB, 0, 2);
  forge_.seal();
  slot(1)[damaged + 200] ^= std::byte{1};
  EXPECT_EQ(next(recover(), kB), 2U) << "there is nothing else of it";
}

// All that it came behind was refused, so it says where the session is; an index says it better.
TEST_F(ProducerRecovery, ALateRunThatIsTheOnlyOneOfItsSessionTellsOfIt) {
  forge_.begin(0);
  forge_.producers().set_next(forge_.producers().add(kA, 0).value(), 20);
  const UnixNanos used(forge_.time);
  run(kA, 2);
  EXPECT_EQ(next(recover(), kA), 7U);
  forge_.close();
  const RecoveredVolume recovered = recover();
  EXPECT_TRUE(recovered.findings.empty());
  ASSERT_EQ(next(recovered, kA), 20U);
  EXPECT_EQ(recovered.logs.at(kLog).start.producers.front().last_used, used);
}

}  // namespace
}  // namespace penstock
