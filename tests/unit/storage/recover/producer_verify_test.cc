// What verify makes of what a segment says of producers' sessions.
#include "storage/recover/verify.h"
#include "tests/unit/storage/recover/damage_fixture.h"

namespace penstock {
namespace {

constexpr SessionNumber kA{0xA};
constexpr SessionNumber kB{0xB};

class ProducerVerify : public DamageTest {
 protected:
  void run(SessionNumber session, std::uint64_t sequence) {
    forge_.run(session, sequence, 5);
    forge_.seal();
  }
  std::vector<Finding> findings() { return verify_volume(volume_.device()).value().findings; }
  [[nodiscard]] SegmentFooter footer() {
    return decode_segment_footer(slot(0).last(kPageBytes)).value();
  }
  // The index of slot 0, to be changed; with its checksum put right by seal_index().
  std::span<std::byte> index() {
    const std::size_t begin = std::size_t{footer().index_position} * kPageBytes;
    return slot(0).subspan(begin, kMiB - kPageBytes - begin);
  }
  void seal_index(SegmentFooter footer) {
    footer.index_crc = crc32c(index());
    encode_segment_footer(slot(0).last(kPageBytes), footer);
  }
  std::size_t producers_at() {
    return footer().block_count * sizeof(IndexEntry) +
           footer().partition_count * sizeof(PartitionEntry);
  }
  // Takes the last entry away.
  void leave_out_last() {
    SegmentFooter fewer = footer();
    --fewer.producer_count;
    store(index(), producers_at() + fewer.producer_count * sizeof(ProducerEntry), ProducerEntry{});
    seal_index(fewer);
  }
};

TEST_F(ProducerVerify, FindsNothingWhereTheIndexAgreesWithTheRuns) {
  forge_.begin(0);
  run(kA, 0);
  run(kB, 7);
  run(kA, 5);
  forge_.producers().set_next(forge_.producers().find(kB).value(), 90);
  forge_.close();
  forge_.begin(1);
  run(kA, 10);
  EXPECT_EQ(footer().producer_count, 2U);
  for (const Finding& finding : findings()) ADD_FAILURE() << finding.what;
}

TEST_F(ProducerVerify, FindsASessionThatWouldGoOnInFrontOfItsRuns) {
  forge_.begin(0);
  run(kA, 0);
  run(kB, 7);
  forge_.close();
  const std::size_t at = producers_at() + sizeof(ProducerEntry);
  auto entry = load<ProducerEntry>(index(), at);
  ASSERT_EQ(entry.session, kB.value);
  ASSERT_EQ(entry.next_sequence, 12U);
  entry.next_sequence = 11;
  store(index(), at, entry);
  seal_index(footer());
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, Finding::Kind::kWrongIndex);
  EXPECT_EQ(found[0].offset, footer().index_position * kPageBytes + at);
  EXPECT_EQ(found[0].bytes, sizeof(ProducerEntry));
}

TEST_F(ProducerVerify, FindsASessionThatIsLeftOut) {
  forge_.begin(0);
  run(kA, 0);
  run(kB, 7);
  forge_.close();
  leave_out_last();
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, Finding::Kind::kWrongIndex);
  EXPECT_NE(found[0].what.find("leaves out 1 sessions"), std::string::npos) << found[0].what;
}

TEST_F(ProducerVerify, FindsNothingWhereASessionGaveWayToAnother) {
  forge_.begin(0);
  for (std::uint64_t i = 0; i < LogForge::kProducers + 3; ++i) run(SessionNumber(i), 0);
  forge_.close();
  EXPECT_EQ(footer().producer_count, LogForge::kProducers);
  EXPECT_EQ(footer().forgotten_count, 3U);
  EXPECT_TRUE(findings().empty());
  leave_out_last();
  EXPECT_EQ(findings().size(), 1U) << "one more than may be left out";
}

// What came in front of it was refused: the index names the session all the same.
TEST_F(ProducerVerify, FindsNothingWhereALateRunIsTheOnlyOneOfItsSession) {
  forge_.begin(0);
  run(kB, 0);
  forge_.producers().set_next(forge_.producers().add(kA, 0).value(), 20);
  run(kA, 2);
  forge_.close();
  EXPECT_EQ(footer().producer_count, 2U);
  for (const Finding& finding : findings()) ADD_FAILURE() << finding.what;
}

// The last run of a session counts.
TEST_F(ProducerVerify, FindsNothingWhereASessionBeganAgainWithLowerNumbers) {
  forge_.begin(0);
  run(kA, 100);
  for (std::uint64_t i = 0; i < LogForge::kProducers; ++i) run(SessionNumber(100 + i), 0);
  run(kA, 50);
  forge_.close();
  EXPECT_TRUE(findings().empty());
}

}  // namespace
}  // namespace penstock
