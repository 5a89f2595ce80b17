#include "dataplane/shard/intake.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

MessageView message_of(std::string_view text) {
  MessageView message;
  message.payload = std::as_bytes(std::span(text));
  return message;
}

TEST(Intake, WhatGoesToNoStreamIsCountedUnderItsCauseAtDoorAndShard) {
  MessageAccount shard;
  MessageAccount first;
  MessageAccount second;
  Intake intake(shard, {&first, &second});
  intake.offer_uncaptured(1, MessageFate::kNoStream, message_of("four"));
  intake.offer_uncaptured(1, MessageFate::kCapturesFull, message_of("five5"));
  EXPECT_EQ(first.offered, Tally{});
  for (MessageAccount* account : {&second, &shard}) {
    EXPECT_EQ(account->offered, (Tally{2, 9}));
    EXPECT_EQ((*account)[MessageFate::kNoStream], (Tally{1, 4}));
    EXPECT_EQ((*account)[MessageFate::kCapturesFull], (Tally{1, 5}));
  }
}

TEST(Intake, WhatIsStoredIsCountedInEveryStreamOfItsSet) {
  MessageAccount shard;
  MessageAccount door;
  std::array<MessageAccount, 3> streams;
  Intake intake(shard, {&door});
  intake.add_set(CaptureSetId(0), std::array{&streams[2], &streams[0]});
  intake.add_set(CaptureSetId(1), std::array{&streams[2]});
  std::array notes{
      RunNote{CaptureSetId(0), 2, 20},
      RunNote{CaptureSetId(1), 3, 30}
  };
  Block block;
  block.run_notes = notes;
  block.notes = notes.size();
  block.total = block.origins[0] = {5, 50};
  intake.on_durable(block);
  EXPECT_EQ(streams[0][MessageFate::kStored], (Tally{2, 20}));
  EXPECT_EQ(streams[1][MessageFate::kStored], Tally{});
  EXPECT_EQ(streams[2][MessageFate::kStored], (Tally{5, 50}));
  EXPECT_EQ(door[MessageFate::kStored], (Tally{5, 50}));
  EXPECT_EQ(shard[MessageFate::kStored], (Tally{5, 50}));
}

}  // namespace
}  // namespace penstock
