#include "storage/format/run.h"

#include <cstdio>
#include <limits>

#include <gtest/gtest.h>

#include "tests/unit/storage/format/forged_block.h"

namespace penstock {
namespace {

using test::Bytes;
using test::text_of;

const std::vector<Capture> kCaptures{
    {.stream = 11, .base_offset = 100},
    {.stream = 22, .base_offset = 7  }
};

Bytes sample() {
  return test::forge_run(kCaptures,
                         {
                             {.subject = "a.b", .payload = "first", .key = "k1", .headers = "hh"},
                             {.subject = "", .payload = "", .time_delta_ns = 5},
                             {.subject = "c",
                              .payload = "third, of nineteen",
                              .time_delta_ns = 4'000'000'000,
                              .flags = MessageFlag::kMalformed | MessageFlag::kTruncated}
  },
                         1'000);
}

// Whether the run can be walked to its end.
bool walks(std::span<const std::byte> bytes) {
  RunReader run(bytes);
  std::uint32_t messages = 0;
  while (run.next()) ++messages;
  return run.ok() && messages == run.header().message_count;
}

TEST(Run, GivesBackEveryPartOfEveryMessage) {
  Bytes bytes = sample();
  const std::size_t length = bytes.size();
  bytes.resize(length + 64, std::byte{0xEE});  // what follows it is not its business
  RunReader run(bytes);
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run.length(), length);
  EXPECT_EQ(run.capture(0).stream, 11U);
  EXPECT_EQ(run.capture(1).base_offset, 7U);
  const MessageView first = run.next().value();
  EXPECT_EQ(first.subject, "a.b");
  EXPECT_EQ(text_of(first.key), "k1");
  EXPECT_EQ(text_of(first.headers), "hh");
  EXPECT_EQ(text_of(first.payload), "first");
  EXPECT_EQ(first.received, UnixNanos(1'000));
  EXPECT_EQ(first.flags, MessageFlag::kNone);
  const MessageView second = run.next().value();
  EXPECT_EQ(second.subject, "a.b") << "an empty subject is that of the message before";
  EXPECT_TRUE(second.payload.empty());
  EXPECT_EQ(second.received, UnixNanos(1'005));
  const MessageView third = run.next().value();
  EXPECT_EQ(third.subject, "c");
  EXPECT_EQ(text_of(third.payload), "third, of nineteen");
  EXPECT_EQ(third.received, UnixNanos(4'000'001'000));
  EXPECT_TRUE(has_flag(third.flags, MessageFlag::kMalformed));
  EXPECT_TRUE(has_flag(third.flags, MessageFlag::kTruncated));
  EXPECT_FALSE(run.next().has_value());
  EXPECT_TRUE(run.ok());
}

TEST(Run, TakesWhatMessageBytesSaysForAMessage) {
  for (std::size_t payload = 0; payload < 20; ++payload) {
    const Bytes run = test::forge_run(kCaptures,
                                      {
                                          {"subject", std::string(payload, 'x')}
    },
                                      0);
    EXPECT_EQ(run.size(), run_head_bytes(2) + message_bytes(7, 0, 0, payload));
    EXPECT_TRUE(walks(run));
  }
}

TEST(Run, OfAProducerNumbersEachMessage) {
  const Bytes bytes = test::forge_run(kCaptures,
                                      {
                                          {"a.b", "first"},
                                          {"",    "next" }
  },
                                      1'000, RunProducer{0xFEED, 41});
  RunReader run(bytes);
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run.producer()->session, 0xFEEDU);
  EXPECT_EQ(run.producer()->sequence, 41U);
  EXPECT_EQ(run.capture(1).base_offset, 7U) << "captures stand behind the producer";
  EXPECT_EQ(run.next()->producer, (ProducerMessage{SessionNumber(0xFEED), 41}));
  EXPECT_EQ(run.next()->producer, (ProducerMessage{SessionNumber(0xFEED), 42}));
  EXPECT_FALSE(run.next().has_value());
  EXPECT_TRUE(run.ok());
  EXPECT_EQ(bytes.size(), run_head_bytes(2, kRunOfProducer) + message_bytes(3, 0, 0, 5) +
                              message_bytes(0, 0, 0, 4));
  const Bytes without_producer = sample();
  RunReader nobodys(without_producer);
  EXPECT_FALSE(nobodys.producer().has_value());
  EXPECT_FALSE(nobodys.next()->producer.has_value());
}

TEST(Run, OfAProducerEndsAtTheLastSequenceThereIs) {
  const auto from = [](std::uint64_t sequence) {
    return test::forge_run(kCaptures,
                           {
                               {"a.b", "first"},
                               {"",    "next" }
    },
                           1'000, RunProducer{1, sequence});
  };
  EXPECT_TRUE(walks(from(kProducerSequenceEnd - 2)));
  EXPECT_FALSE(walks(from(kProducerSequenceEnd - 1)));
  EXPECT_FALSE(walks(from(~std::uint64_t{0})));
}

TEST(Run, OfAProducerCutOffAnywhereIsNotWalked) {
  const Bytes bytes = test::forge_run(kCaptures,
                                      {
                                          {"a.b", "first"}
  },
                                      1'000, RunProducer{1, 0});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(walks(std::span(bytes).first(size))) << size;
  }
}

// Where in the run a value is replaced, and by what.
struct Lie {
  const char* name;
  std::size_t at;
  std::uint64_t value;
  std::size_t bytes;
};
class LyingRun : public testing::TestWithParam<Lie> {};
TEST_P(LyingRun, IsNotWalkedToAnEnd) {
  const auto& [name, at, value, count] = GetParam();
  Bytes bytes = sample();
  std::memcpy(bytes.data() + at, &value, count);
  EXPECT_FALSE(walks(bytes));
}
constexpr std::size_t kFirst = run_head_bytes(2);
constexpr std::size_t kSecond = kFirst + message_bytes(3, 2, 2, 5);
constexpr std::uint64_t kLastTime = std::numeric_limits<std::int64_t>::max();
INSTANTIATE_TEST_SUITE_P(
    Lies, LyingRun,
    testing::Values(
        Lie{"longer_than_what_is_there", offsetof(RunHeader, length), 1U << 20U, 4},
        Lie{"no_multiple_of_eight", offsetof(RunHeader, length), kSecond + 4, 4},
        Lie{"shorter_than_its_head", offsetof(RunHeader, length), 24, 4},
        Lie{"ends_within_a_message", offsetof(RunHeader, length), kSecond + 8, 4},
        Lie{"no_messages", offsetof(RunHeader, message_count), 0, 4},
        Lie{"fewer_messages_than_it_says", offsetof(RunHeader, message_count), 4, 4},
        Lie{"more_messages_than_it_says", offsetof(RunHeader, message_count), 2, 4},
        Lie{"no_captures", offsetof(RunHeader, capture_count), 0, 2},
        Lie{"too_many_captures", offsetof(RunHeader, capture_count), kCapturesMax + 1, 2},
        Lie{"more_captures_than_fit", offsetof(RunHeader, capture_count), 3, 2},
        Lie{"unknown_run_flag", offsetof(RunHeader, flags), 2, 2},
        Lie{"reserved_word_in_use", offsetof(RunHeader, reserved), 1, 4},
        Lie{"time_beyond_the_end_of_time", offsetof(RunHeader, base_time_ns), kLastTime, 8},
        Lie{"payload_leaves_the_run", kFirst, 0xFFFFFFFF, 4},
        Lie{"first_message_has_no_subject", kFirst + 8, 0, 2},
        Lie{"subject_leaves_the_run", kSecond + 8, 1024, 2},
        Lie{"unknown_flag", kSecond + 14, 4, 2}, Lie{"padding_in_use", kSecond - 1, 1, 1}),
    [](const auto& lie) { return std::string(lie.param.name); });

TEST(Run, SubjectBeyondTheLongestIsRefused) {
  EXPECT_TRUE(walks(test::forge_run(kCaptures,
                                    {
                                        {std::string(kSubjectBytesMax, 's'), "p"}
  },
                                    0)));
  EXPECT_FALSE(walks(test::forge_run(kCaptures,
                                     {
                                         {std::string(kSubjectBytesMax + 1, 's'), "p"}
  },
                                     0)));
}

TEST(Run, CutOffAnywhereIsNotWalked) {
  const Bytes bytes = sample();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(walks(std::span(bytes).first(size))) << size;
  }
  EXPECT_TRUE(walks(bytes));
}

TEST(Run, NoFlippedBitLeadsOutsideTheRun) {
  Bytes bytes = sample();
  std::size_t cases = 0;
  std::size_t failed = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const std::byte mask{static_cast<unsigned char>(1U << bit % 8)};
    bytes[bit / 8] ^= mask;
    RunReader run(bytes);
    bool inside = true;
    while (const auto message = run.next()) {
      for (const auto& part : {message->key, message->headers, message->payload}) {
        inside &=
            part.data() >= bytes.data() && part.data() + part.size() <= bytes.data() + bytes.size();
      }
    }
    bytes[bit / 8] ^= mask;
    ++cases;
    failed += inside ? 0U : 1U;
  }
  std::printf("FIGURE name=run_bit_flips cases=%zu failed=%zu\n", cases, failed);
  EXPECT_EQ(failed, 0U);
}

}  // namespace
}  // namespace penstock
