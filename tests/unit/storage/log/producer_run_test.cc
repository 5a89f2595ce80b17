// A producer's runs in a log: copied as they are, and how far each session is.
#include <fmt/format.h>

#include "storage/log/log_writer.h"
#include "storage/recover/verify.h"
#include "tests/lib/log_fixture.h"

namespace penstock {
namespace {

constexpr SessionNumber kSession{0xFEED};
const StreamId kAll = stream_id("all");
const StreamId kRare = stream_id("rare");

// ---- Into a block -------------------------------------------------------------------------------

class ProducerRunTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kBlockBytes = 16 * 1024;

  ProducerRunTest() {
    builder_.start(&block_);
    producer_ = producers_.add(kSession, 5).value();
  }
  CaptureSetId set(std::vector<StreamId> streams) { return captures_.add_set(streams).value(); }
  bool append(std::string_view text) {
    MessageView message;
    message.subject = "a.b";
    message.received = UnixNanos(50);
    message.payload = std::as_bytes(std::span(text));
    return builder_.append(set({kAll}), 0, message);
  }
  std::vector<std::span<const std::byte>> runs() {
    const Block* block = builder_.finish();
    BlockHeader header = block->header;
    header.crc = finish_block(block->bytes, header);
    EXPECT_EQ(check_block(block->bytes, {}), BlockFault::kNone);
    BlockReader reader(block->bytes);
    std::vector<std::span<const std::byte>> runs;
    for (auto bytes = reader.next_run(); !bytes.empty(); bytes = reader.next_run()) {
      runs.push_back(bytes);
    }
    return runs;
  }

  PageBuffer memory_ = allocate_pages(kBlockBytes);
  std::vector<RunNote> notes_{64};
  Block block_{
      .bytes = {memory_.get(), kBlockBytes},
        .run_notes = notes_
  };
  CaptureTable captures_;
  ProducerTable producers_{4};
  BlockBuilder builder_{captures_, producers_, true};
  ProducerIndex producer_;
};

TEST_F(ProducerRunTest, IsLaidOutByteForByteBehindAHeadOfItsOwn) {
  const LaidOutMessages messages = lay_out("a.b", {"first", "", "third, of nineteen"});
  EXPECT_TRUE(builder_.append_run(set({kAll, kRare}), 3, messages.run(producer_, 5, UnixNanos(9))));
  const auto all = runs();
  ASSERT_EQ(all.size(), 1U);
  const RunReader run(all[0]);
  const std::size_t head = run_head_bytes(2, kRunOfProducer);
  EXPECT_TRUE(std::ranges::equal(all[0].subspan(head), messages.bytes));
  EXPECT_EQ(run.header().message_count, 3U);
  EXPECT_EQ(run.header().base_time_ns, 9);
  EXPECT_EQ(run.producer()->session, kSession.value);
  EXPECT_EQ(run.producer()->sequence, 5U);
  EXPECT_EQ(run.capture(0).stream, kAll.value);
  EXPECT_EQ(run.capture(1).stream, kRare.value);
  EXPECT_EQ(producers_.at(producer_).next, 8U);
  EXPECT_EQ(block_.total.messages, 3U);
  EXPECT_EQ(block_.total.bytes, messages.payload_bytes);
  EXPECT_EQ(block_.origins[3].messages, 3U);
  EXPECT_EQ(block_.run_notes[0].producer, producer_);
  EXPECT_EQ(block_.run_notes[0].producer_end, 8U);
}

TEST_F(ProducerRunTest, StandsBetweenOtherMessagesInTheirOrder) {
  EXPECT_TRUE(append("before"));
  EXPECT_TRUE(append("before too"));
  const LaidOutMessages messages = lay_out("a.b", {"one", "two"});
  EXPECT_TRUE(builder_.append_run(set({kAll}), 0, messages.run(producer_, 5, UnixNanos(60))));
  EXPECT_TRUE(builder_.append_run(set({kAll}), 0, messages.run(producer_, 7, UnixNanos(40))));
  EXPECT_TRUE(append("behind"));
  const auto all = runs();
  ASSERT_EQ(all.size(), 4U);
  std::uint64_t offset = 0;
  for (const auto& bytes : all) {
    const RunReader run(bytes);
    EXPECT_EQ(run.capture(0).base_offset, offset);
    offset += run.header().message_count;
  }
  EXPECT_EQ(offset, 7U);
  EXPECT_FALSE(RunReader(all[0]).producer().has_value());
  EXPECT_EQ(RunReader(all[1]).producer()->sequence, 5U);
  EXPECT_EQ(RunReader(all[2]).producer()->sequence, 7U);
  EXPECT_FALSE(RunReader(all[3]).producer().has_value());
  EXPECT_EQ(block_.run_notes[3].producer, kNoProducer);
}

TEST_F(ProducerRunTest, ThatDoesNotFitLeavesTheBlockAsItIs) {
  const LaidOutMessages large = lay_out("a.b", {std::string(kBlockBytes / 2, 'x')});
  EXPECT_TRUE(builder_.append_run(set({kAll}), 0, large.run(producer_, 5, UnixNanos(9))));
  EXPECT_FALSE(builder_.append_run(set({kAll}), 0, large.run(producer_, 6, UnixNanos(9))));
  EXPECT_EQ(producers_.at(producer_).next, 6U);
  EXPECT_EQ(runs().size(), 1U);
}

TEST_F(ProducerRunTest, FitsABlockThatIsExactlyAsLong) {
  const std::size_t room = kBlockBytes - sizeof(BlockHeader) - run_head_bytes(1, kRunOfProducer) -
                           message_bytes(3, 0, 0, 0);
  const LaidOutMessages fits = lay_out("a.b", {std::string(room + 5, 'x')});  // with its padding
  const LaidOutMessages larger = lay_out("a.b", {std::string(room + 6, 'x')});
  EXPECT_FALSE(
      builder_.fits_empty(set({kAll}), larger.run(producer_, 5, UnixNanos(9)), kBlockBytes));
  ASSERT_TRUE(builder_.fits_empty(set({kAll}), fits.run(producer_, 5, UnixNanos(9)), kBlockBytes));
  EXPECT_TRUE(builder_.append_run(set({kAll}), 0, fits.run(producer_, 5, UnixNanos(9))));
  EXPECT_EQ(runs().size(), 1U);
}

// ---- Into a log ---------------------------------------------------------------------------------

std::string payload_of(std::uint64_t i) {
  return fmt::format("message {} {}", i, std::string(i % 300, 'x'));
}
LaidOutMessages messages_from(std::uint64_t first, std::uint64_t count) {
  std::vector<std::string> payloads;
  for (std::uint64_t i = first; i < first + count; ++i) payloads.push_back(payload_of(i));
  return lay_out("a.b", payloads);
}

class ProducerLogTest : public testing::TestWithParam<Durability> {
 protected:
  LogFixtureOptions options() { return {.durability = GetParam(), .producers = 8}; }
  TestFolder folder_;
};

TEST_P(ProducerLogTest, RunsAndMessagesAreReadBackInTheirOrder) {
  LogFixture fixture(folder_.path(), options());
  std::uint64_t next = 0;
  for (unsigned round = 0; next < 12'000; ++round) {
    fixture.append_run(SessionNumber(round % 3), next, messages_from(next, 5));
    next += 5;
    fixture.append("a.b", payload_of(next++));
  }
  fixture.drain();
  EXPECT_GT(fixture.log().counters().segments_closed, 1U);
  const auto payloads = read_payloads(folder_.path());
  ASSERT_EQ(payloads.size(), next);
  for (std::uint64_t i = 0; i < next; ++i) ASSERT_EQ(payloads[i], payload_of(i));
  EXPECT_EQ(fixture.observer.messages, next);
  const bool sync = GetParam() == Durability::kSync;
  EXPECT_EQ(fixture.observer.written, sync ? 0 : fixture.observer.blocks)
      << "sync: it says so once";
}

TEST_P(ProducerLogTest, ASessionsMarksFollowItsBlocks) {
  LogFixture fixture(folder_.path(), options());
  ProducerTable& producers = fixture.log().producers();
  const ProducerIndex producer = producers.add(kSession, 0).value();
  producers.pin(producer);
  std::uint64_t next = 0;
  for (unsigned i = 0; i < 2'000; ++i) {
    fixture.append_run(kSession, next, messages_from(next, 7));
    next += 7;
    const Producer& state = producers.at(producer);
    ASSERT_EQ(state.next, next);
    ASSERT_LE(state.placed, state.next);
    ASSERT_LE(state.written, state.placed);
    ASSERT_LE(state.durable, state.written);
    if (GetParam() == Durability::kSync) {
      ASSERT_EQ(state.durable, state.written);
    }
  }
  fixture.log().seal();
  while (producers.at(producer).durable != next) fixture.step();
  EXPECT_EQ(fixture.observer.messages, next);
}

TEST_P(ProducerLogTest, ARunLargerThanABlockIsRefusedAndChangesNothing) {
  LogFixture fixture(folder_.path(), options());
  const LaidOutMessages large = lay_out("a.b", {std::string(64 * 1024, 'x')});
  EXPECT_EQ(fixture.try_append_run(kSession, 3, large), Appended::kTooLarge);
  EXPECT_EQ(fixture.try_append_run(kSession, 3, messages_from(3, 1)), Appended::kOk);
  ProducerTable& producers = fixture.log().producers();
  EXPECT_EQ(producers.at(producers.find(kSession).value()).next, 4U);
}

TEST_P(ProducerLogTest, WithoutRoomARunIsRefusedAndTheProducerStaysWhereItWas) {
  LogFixture fixture(folder_.path(), options());
  std::uint64_t next = 0;
  while (fixture.try_append_run(kSession, next, messages_from(next, 3)) == Appended::kOk) next += 3;
  ProducerTable& producers = fixture.log().producers();
  EXPECT_EQ(producers.at(producers.find(kSession).value()).next, next);
  EXPECT_EQ(fixture.try_append_run(kSession, next, messages_from(next, 3)), Appended::kDriveSlow);
}

TEST_P(ProducerLogTest, ALogGoesOnKnowingItsSessionsWhereThereIsNoDoorForThem) {
  {
    LogFixture fixture(folder_.path(), options());
    fixture.append_run(kSession, 0, messages_from(0, 4));
    fixture.drain();
  }
  LogFixtureOptions none = options();
  none.producers = 0;
  none.retention.max_bytes = 4 * kMiB;
  for (int round = 0; round < 2; ++round) {
    LogFixture fixture(folder_.path(), none);
    for (std::uint64_t i = 0; i < 30'000; ++i) fixture.append("a.b", payload_of(i));
    fixture.drain();
    EXPECT_GT(fixture.keeper().status().retired_segments, 0U);
  }
  LogFixture fixture(folder_.path(), options());
  ProducerTable& producers = fixture.log().producers();
  const auto producer = producers.find(kSession);
  ASSERT_TRUE(producer.has_value());
  EXPECT_EQ(producers.at(*producer).next, 4U);
}

TEST_P(ProducerLogTest, OfMoreSessionsThanThereIsRoomForTheOnesUsedLastAreKnownAfterARestart) {
  {
    LogFixture fixture(folder_.path(), options());
    for (std::uint64_t i = 0; i < 20; ++i) {
      fixture.append_run(SessionNumber(i), 0, messages_from(i, 1));
      fixture.drain(false);
    }
    ProducerTable& producers = fixture.log().producers();
    EXPECT_EQ(producers.size(), 8U);
    EXPECT_EQ(producers.forgotten(), 12U);
  }
  LogFixture fixture(folder_.path(), options());
  EXPECT_EQ(fixture.recovered().logs.at(LogNumber(0)).start.producers.size(), 20U);
  for (std::uint64_t i = 0; i < 20; ++i) {
    EXPECT_EQ(fixture.log().producers().find(SessionNumber(i)).has_value(), i >= 12) << i;
  }
}

TEST_P(ProducerLogTest, ASegmentTooFullToNameSessionsThatCameFromElsewhereIsNotFilledOn) {
  const LaidOutMessages messages = messages_from(0, 1);
  {
    LogFixture fixture(folder_.path(), options());
    // A page each; then there is room for an index with few sessions.
    for (std::uint64_t next = 0; fixture.log().watermarks().position < 246; ++next) {
      fixture.append_run(kSession, next, messages);
      fixture.drain(false);
    }
  }
  LogFixtureOptions many = options();
  many.producers = 2'000;
  many.other_producers = 2'000;
  {
    LogFixture fixture(folder_.path(), many);
    fixture.append_run(kSession, 1'000'000, messages);
    fixture.drain();
    EXPECT_EQ(fixture.log().producers().size(), 2'000U);
    EXPECT_EQ(fixture.log().counters().segments_taken, 1U);
  }
  LogFixture fixture(folder_.path(), options());
  EXPECT_TRUE(fixture.recovered().findings.empty());
  const RecoveredLog& log = fixture.recovered().logs.at(LogNumber(0));
  EXPECT_EQ(log.segments.size(), 2U);
  ASSERT_EQ(log.start.producers.size(), 1U);
  EXPECT_EQ(log.start.producers[0].next_sequence, 1'000'001U);
}

// A producer that fires and forgets: what came in front of its late run was refused.
TEST_P(ProducerLogTest, ALateRunThatIsTheOnlyOneOfItsSessionIsKnownByTheIndex) {
  {
    LogFixture fixture(folder_.path(), options());
    ProducerTable& producers = fixture.log().producers();
    producers.set_next(producers.add(kSession, 0).value(), 20);
    fixture.append_run(kSession, 2, messages_from(2, 5));
    const std::string payload(10'000, 'x');
    while (fixture.log().counters().segments_closed == 0) fixture.append("a.b", payload);
    fixture.drain();
  }
  const auto device = open_volume_device(folder_.path(), DeviceAccess::kReadOnly).value();
  EXPECT_TRUE(verify_volume(*device).value().findings.empty());
  LogFixture fixture(folder_.path(), options());
  ProducerTable& producers = fixture.log().producers();
  ASSERT_TRUE(producers.find(kSession).has_value());
  EXPECT_EQ(producers.at(*producers.find(kSession)).next, 20U);
}

// Its block has no place yet when the session is closed and others come.
TEST_P(ProducerLogTest, ALateRunThatIsTheOnlyOneOfItsSessionKeepsItUntilItIsDurable) {
  {
    LogFixture fixture(folder_.path(), options());
    ProducerTable& producers = fixture.log().producers();
    producers.set_next(producers.add(kSession, 0).value(), 20);
    fixture.append_run(kSession, 2, messages_from(2, 5));
    for (std::uint64_t i = 0; i < producers.capacity(); ++i) {
      EXPECT_TRUE(producers.add(SessionNumber(i), 0).has_value());
    }
    const std::string payload(10'000, 'x');
    while (fixture.log().counters().segments_closed == 0) fixture.append("a.b", payload);
    fixture.drain();
  }
  const auto device = open_volume_device(folder_.path(), DeviceAccess::kReadOnly).value();
  const VerifyReport report = verify_volume(*device).value();
  for (const Finding& finding : report.findings) ADD_FAILURE() << finding.what;
}

INSTANTIATE_TEST_SUITE_P(Durabilities, ProducerLogTest,
                         testing::Values(Durability::kSync, Durability::kFlush),
                         [](const auto& tested) {
                           return tested.param == Durability::kSync ? "Sync" : "Flush";
                         });

}  // namespace
}  // namespace penstock
