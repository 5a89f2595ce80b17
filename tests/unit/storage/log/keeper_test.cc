#include "storage/log/keeper.h"

#include <gtest/gtest.h>

#include "tests/lib/memory_device.h"

namespace penstock {
namespace {

constexpr LogNumber kFirst{0};
constexpr LogNumber kSecond{1};
constexpr std::uint64_t kBytes = kSegmentBytesMin;

class KeeperTest : public testing::Test {
 protected:
  KeeperTest()
      : volume_(Volume::create(std::make_unique<MemoryDevice>(drive_), {.segment_bytes = kBytes},
                               VolumeId{}, clock_.unix_now())
                    .value()) {}

  void make_keeper(std::uint64_t slots_max, const Retention& retention = {}) {
    keeper_ = std::make_unique<Keeper>(
        volume_, KeeperOptions{.capacity_bytes = slots_max * kBytes, .retention = retention},
        clock_);
  }
  void add_log(LogNumber log) { keeper_->add_log(log, &channel(log), {}); }
  SegmentChannel& channel(LogNumber log) { return channels_[log.value]; }
  void settle() {
    for (int i = 0; i < 100; ++i) keeper_->step();
  }
  void wait(std::int64_t seconds) { clock_.advance(seconds * kNanosPerSecond); }

  // What a log does: takes a slot, and closes what it took.
  SegmentHeader take(LogNumber log) {
    const auto slot = channel(log).ready.pop();
    EXPECT_TRUE(slot.has_value());
    SegmentHeader header{};
    header.log = log.value;
    header.slot = slot->slot.value;
    header.sequence = ++sequences_[log.value];
    header.created_ns = clock_.unix_now().value;
    tell(log, SegmentEvent::Kind::kTaken, header);
    return header;
  }
  void tell(LogNumber log, SegmentEvent::Kind kind, const SegmentHeader& header) {
    SegmentFooter footer{};
    footer.last_received_ns = clock_.unix_now().value;
    EXPECT_TRUE(channel(log).events.push({kind, {}, header, footer}));
    settle();
  }
  void fill(LogNumber log, int segments) {
    for (int i = 0; i < segments; ++i) {
      tell(log, SegmentEvent::Kind::kClosed, take(log));
      clock_.advance(1);
    }
  }
  SlotState state_of(std::uint32_t slot) {
    const auto header = decode_segment_header(std::span(drive_.slots.at(slot)).first(kPageBytes));
    EXPECT_TRUE(header.has_value());
    return header->state;
  }

  MemoryDrive drive_;
  SimClock clock_;
  Volume volume_;
  SegmentChannel channels_[2];
  std::uint64_t sequences_[2] = {};
  std::unique_ptr<Keeper> keeper_;
};

TEST_F(KeeperTest, ALogWithoutASlotComesBeforeAnothersSecond) {
  make_keeper(3);
  add_log(kFirst);
  add_log(kSecond);
  settle();
  EXPECT_TRUE(keeper_->all_have_slots());
  EXPECT_FALSE(keeper_->status().full) << "each has one to go on with";
  EXPECT_EQ(keeper_->status().last_error, "");
}

TEST_F(KeeperTest, SlotsGoRoundTheLogs) {
  make_keeper(0);
  add_log(kFirst);
  add_log(kSecond);
  settle();
  for (int i = 0; i < 4; ++i) {
    take(kFirst);
    take(kSecond);
  }
  EXPECT_TRUE(keeper_->all_have_slots());
}

TEST_F(KeeperTest, AFullVolumeSaysSoAndGoesOnWhenThereIsRoom) {
  make_keeper(2);
  add_log(kFirst);
  settle();
  take(kFirst);
  take(kFirst);
  EXPECT_TRUE(keeper_->status().full);
  EXPECT_EQ(channel(kFirst).shortage.load(), Shortage::kFull);
  EXPECT_NE(keeper_->status().last_error.find("capacity"), std::string::npos);
  keeper_->add_free_slot(SlotIndex(7));
  drive_.slots[7].assign(kBytes, std::byte{0});
  wait(1);
  settle();
  EXPECT_FALSE(keeper_->status().full);
  EXPECT_EQ(channel(kFirst).shortage.load(), Shortage::kNone);
  EXPECT_EQ(keeper_->status().last_error, "");
}

TEST_F(KeeperTest, TheOldestSegmentOfAnyLogMakesRoomForAnother) {
  make_keeper(6, {.max_age_ns = 3600 * kNanosPerSecond});
  add_log(kFirst);
  settle();
  fill(kFirst, 4);
  add_log(kSecond);
  wait(1);
  settle();
  EXPECT_TRUE(keeper_->all_have_slots());
  EXPECT_GT(keeper_->status().retired_segments, 0U);
  EXPECT_EQ(keeper_->segments(kFirst).back().header.sequence, 4U) << "the newest closed one stays";
}

TEST_F(KeeperTest, ABadSlotDoesNotKeepTheOthers) {
  make_keeper(0);
  for (const std::uint32_t slot : {0U, 1U, 2U}) {
    drive_.slots[slot].assign(kBytes, std::byte{0});
    keeper_->add_free_slot(SlotIndex(slot));
  }
  drive_.bad_slots = {1, 2};
  add_log(kFirst);
  settle();
  EXPECT_EQ(channel(kFirst).ready.pop()->slot, SlotIndex(0));
  EXPECT_EQ(channel(kFirst).ready.pop()->slot, SlotIndex(3)) << "a new one";
  EXPECT_EQ(keeper_->status().quarantined_slots, 2U);
  EXPECT_NE(keeper_->status().last_error.find("a bad slot"), std::string::npos);
  EXPECT_EQ(channel(kFirst).shortage.load(), Shortage::kNone);
}

TEST_F(KeeperTest, ASlotThatFailedIsTriedAgainLater) {
  make_keeper(1);
  drive_.slots[0].assign(kBytes, std::byte{0});
  keeper_->add_free_slot(SlotIndex(0));
  drive_.bad_slots = {0};
  add_log(kFirst);
  settle();
  EXPECT_FALSE(keeper_->all_have_slots());
  drive_.bad_slots.clear();
  wait(SlotSupply::kRestNs / kNanosPerSecond + 1);
  settle();
  EXPECT_TRUE(keeper_->all_have_slots());
  EXPECT_EQ(keeper_->status().last_error, "");
  EXPECT_EQ(keeper_->status().quarantined_slots, 0U);
}

TEST_F(KeeperTest, APlaceThatCannotBeWrittenIsPassedOver) {
  make_keeper(0);
  drive_.bad_slots = {0, 1};
  add_log(kFirst);
  settle();
  EXPECT_EQ(channel(kFirst).shortage.load(), Shortage::kFailed) << "not for want of room";
  EXPECT_FALSE(keeper_->status().full);
  for (int i = 0; i < 3; ++i) {
    wait(1);
    settle();
  }
  EXPECT_TRUE(keeper_->all_have_slots());
}

TEST_F(KeeperTest, ASegmentThatCannotBeRetiredDoesNotKeepTheOthersForEver) {
  make_keeper(4, {.max_age_ns = 3600 * kNanosPerSecond});
  add_log(kFirst);
  settle();
  drive_.bad_slots = {0};  // the first one that was made
  fill(kFirst, 2);
  const SegmentHeader third = take(kFirst);
  EXPECT_EQ(keeper_->segments(kFirst).front().header.sequence, 1U) << "it could not be retired";
  EXPECT_NE(keeper_->status().last_error.find("a bad slot"), std::string::npos);
  tell(kFirst, SegmentEvent::Kind::kClosed, third);
  for (int i = 0; i < 60; ++i) {
    wait(1);
    settle();
  }
  EXPECT_TRUE(keeper_->all_have_slots()) << keeper_->status().last_error;
  EXPECT_EQ(keeper_->status().quarantined_slots, 1U) << "the first one is left as it is";
}

TEST_F(KeeperTest, AgeReachesSegmentsThatWereNeverClosed) {
  make_keeper(0, {.max_age_ns = 60 * kNanosPerSecond});
  add_log(kFirst);
  settle();
  tell(kFirst, SegmentEvent::Kind::kPoisoned, take(kFirst));
  fill(kFirst, 2);
  const SegmentHeader open = take(kFirst);
  wait(50);
  settle();
  EXPECT_EQ(keeper_->segments(kFirst).size(), 4U);
  wait(20);
  settle();
  ASSERT_EQ(keeper_->segments(kFirst).size(), 2U);
  EXPECT_EQ(keeper_->segments(kFirst).back().header.sequence, open.sequence);
}

TEST_F(KeeperTest, ASlotThatHoldsNothingIsMarkedFreeOnTheDrive) {
  make_keeper(0);
  add_log(kFirst);
  settle();
  const SegmentHeader header = take(kFirst);
  SegmentHeader used = header;
  used.state = SlotState::kUsed;
  used.segment_bytes = kBytes;
  encode_segment_header(std::span(drive_.slots.at(header.slot)).first(kPageBytes), used);
  tell(kFirst, SegmentEvent::Kind::kVoid, header);
  EXPECT_EQ(state_of(header.slot), SlotState::kFree);
  EXPECT_TRUE(keeper_->segments(kFirst).empty());
}

// The younger segment that makes it void may be gone before it otherwise: then it would be data.
TEST_F(KeeperTest, NothingIsRetiredBeforeAVoidSegmentIsFree) {
  make_keeper(0, {.max_bytes = 2 * kBytes});
  add_log(kFirst);
  settle();
  const SegmentHeader unused = take(kFirst);
  drive_.bad_slots = {unused.slot};
  tell(kFirst, SegmentEvent::Kind::kVoid, unused);
  fill(kFirst, 5);
  EXPECT_EQ(keeper_->segments(kFirst).size(), 5U);
  EXPECT_NE(keeper_->status().last_error.find("a bad slot"), std::string::npos);
  drive_.bad_slots.clear();
  wait(10);
  settle();
  EXPECT_EQ(state_of(unused.slot), SlotState::kFree);
  EXPECT_EQ(keeper_->segments(kFirst).size(), 2U);
  EXPECT_EQ(keeper_->status().last_error, "");
}

TEST_F(KeeperTest, NothingIsPreparedForLogsThatHaveEnded) {
  make_keeper(0);
  add_log(kFirst);
  keeper_->set_ready_slots(0);
  settle();
  EXPECT_TRUE(drive_.slots.empty());
}

}  // namespace
}  // namespace penstock
