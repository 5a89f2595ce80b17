#include "dataplane/door/pdp/run_check.h"

#include <gmock/gmock.h>

#include "base/rng.h"
#include "storage/format/run.h"
#include "tests/unit/dataplane/door/pdp/vectors.h"

namespace penstock::pdp {
namespace {

using vectors::Buffer;
using vectors::Json;

std::expected<CheckedRun, RunFault> check_frame(const Buffer& bytes) {
  const auto frame = decode_frame(bytes, Sender::kProducer);
  EXPECT_TRUE(frame.has_value());
  return check_run(messages_of(*frame), body_of<DataBody>(*frame).message_count);
}

TEST(PdpRun, OfAVectorIsRightAndHasItsSubjectAndPayload) {
  for (const Json& vector : vectors::load_vectors("data")) {
    const Json& messages = vector.at("fields").at("messages");
    std::uint64_t payload_bytes = 0;
    for (const Json& one : messages) payload_bytes += one.at("payload").get<std::string>().size();
    const Buffer bytes = vectors::frame_of(vector);
    const auto run = check_frame(bytes);
    ASSERT_TRUE(run.has_value()) << vector.at("name") << name_of(run.error());
    EXPECT_EQ(run->subject, messages[0].at("subject").get<std::string>());
    EXPECT_EQ(run->payload_bytes, payload_bytes);
  }
}

TEST(PdpRun, ThatIsWrongInOneThingIsRefusedByTheNameOfThat) {
  std::vector<std::string> seen;
  for (const Json& vector : vectors::load_vectors("run_faults")) {
    SCOPED_TRACE(vector.at("name"));
    const Buffer bytes = vectors::frame_of(vector);
    const auto run = check_frame(bytes);
    ASSERT_FALSE(run.has_value());
    EXPECT_EQ(name_of(run.error()), vector.at("fault").get<std::string>());
    seen.emplace_back(name_of(run.error()));
  }
  for (std::size_t i = 0; i < kRunFaults; ++i) {
    EXPECT_THAT(seen, testing::Contains(name_of(static_cast<RunFault>(i))));
  }
  EXPECT_EQ(name_of(static_cast<RunFault>(kRunFaults)), "");
  fmt::print("FIGURE name=pdp_run_faults cases={} failed={}\n", seen.size(), HasFailure() ? 1 : 0);
}

TEST(PdpRun, OfNothingHasTooFewMessages) {
  EXPECT_EQ(check_run({}, 0).error(), RunFault::kBadCount);
  EXPECT_EQ(check_run({}, 1).error(), RunFault::kBadCount);
  EXPECT_EQ(check_run({}, 0xFFFFFFFF).error(), RunFault::kBadCount);
}

// Messages of one to three payload lengths, so that streaks of the same length begin and end
// anywhere; some with keys.
struct RandomRun {
  Buffer bytes;
  std::uint32_t messages = 0;
  std::uint64_t payload_bytes = 0;
};
RandomRun random_run(Rng& rng) {
  RandomRun run;
  run.messages = static_cast<std::uint32_t>(1 + rng.below(12));
  const std::uint64_t lengths[] = {rng.below(20), rng.below(20), rng.below(300)};
  const std::uint64_t kinds = 1 + rng.below(3);
  for (std::uint32_t i = 0; i < run.messages; ++i) {
    MessageHeader header{};
    header.payload_length = static_cast<std::uint32_t>(lengths[rng.below(kinds)]);
    header.subject_length = static_cast<std::uint16_t>(i == 0 ? 1 + rng.below(30) : 0);
    header.key_length = static_cast<std::uint16_t>(rng.chance(100'000) ? rng.below(10) : 0);
    const std::size_t filled =
        sizeof header + header.subject_length + header.key_length + header.payload_length;
    const std::size_t at = run.bytes.size();
    run.bytes.resize(at + filled, std::byte{0xEE});
    store(run.bytes, at, header);
    run.bytes.resize(align_up<std::size_t>(run.bytes.size(), kMessageAlign));
    run.payload_bytes += header.payload_length;
  }
  return run;
}

// A run's head before the messages, for RunReader.
Buffer as_stored(const RandomRun& run) {
  Buffer stored(run_head_bytes(1));
  stored.insert(stored.end(), run.bytes.begin(), run.bytes.end());
  RunHeader header{};
  header.length = static_cast<std::uint32_t>(stored.size());
  header.message_count = run.messages;
  header.capture_count = 1;
  store(stored, 0, header);
  return stored;
}

bool is_read_whole(const RandomRun& run) {
  const Buffer stored = as_stored(run);
  RunReader reader(stored);
  while (reader.next()) {
  }
  return reader.ok();
}

TEST(PdpRun, OfAnyShapeIsTakenAndReadsAsOneFromADrive) {
  constexpr int kRuns = 20'000;
  Rng rng(1);
  for (int i = 0; i < kRuns; ++i) {
    const RandomRun run = random_run(rng);
    const auto checked = check_run(run.bytes, run.messages);
    ASSERT_TRUE(checked.has_value()) << name_of(checked.error());
    ASSERT_EQ(checked->payload_bytes, run.payload_bytes);
    ASSERT_TRUE(is_read_whole(run));
  }
}

// One bit of a run turned: if it is still taken, a drive's reader takes it too.
TEST(PdpRun, ThatIsDamagedIsRefusedOrStillReadsAsOneFromADrive) {
  constexpr int kRuns = 100'000;
  int refused = 0;
  Rng rng(2);
  for (int i = 0; i < kRuns; ++i) {
    RandomRun run = random_run(rng);
    const std::size_t at = rng.below(run.bytes.size());
    run.bytes[at] ^= std::byte{1} << static_cast<int>(rng.below(8));
    const auto checked = check_run(run.bytes, run.messages);
    if (checked) {
      ASSERT_TRUE(is_read_whole(run));
    } else {
      ++refused;
    }
    ASSERT_FALSE(check_run(run.bytes, run.messages + 1));
  }
  EXPECT_GT(refused, kRuns / 10);
  EXPECT_LT(refused, kRuns);
}

}  // namespace
}  // namespace penstock::pdp
