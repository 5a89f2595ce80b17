#include "dataplane/shard/intake.h"

#include <gtest/gtest.h>

#include "storage/ring/io_ring_linux.h"

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
  StreamBooks none;
  Intake intake(shard, {&first, &second}, none);
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
  std::vector<StreamBook> file(3);
  StreamBooks streams(file);
  Intake intake(shard, {&door}, streams);
  const PageBuffer memory = allocate_pages(kBlockBytesMin);
  BlockPool pool({memory.get(), kBlockBytesMin}, kBlockBytesMin);
  const auto ring = make_io_ring_null();
  SegmentChannel channel;
  SimClock clock;
  Rng rng(1);
  LogWriter log({.volume = {}, .log = LogNumber(0), .segment_bytes = kSegmentBytesMin}, {}, pool,
                *ring, channel, clock, rng, intake);
  intake.set_log(log);
  const CaptureSetId both = log.captures().add_set(std::array{StreamId(7), StreamId(5)}).value();
  const CaptureSetId one = log.captures().add_set(std::array{StreamId(7)}).value();
  intake.keep_books(log.captures().partitions_of(both)[0], 2);
  intake.keep_books(log.captures().partitions_of(both)[1], 0);
  std::array notes{
      RunNote{both, 2, 20},
      RunNote{one,  3, 30}
  };
  Block block;
  block.run_notes = notes;
  block.notes = notes.size();
  block.total = block.origins[0] = {5, 50};
  intake.on_durable(block);
  EXPECT_EQ(streams.at(0)[MessageFate::kStored], (Tally{2, 20}));
  EXPECT_EQ(streams.at(1)[MessageFate::kStored], Tally{});
  EXPECT_EQ(streams.at(2)[MessageFate::kStored], (Tally{5, 50}));
  EXPECT_EQ(door[MessageFate::kStored], (Tally{5, 50}));
  EXPECT_EQ(shard[MessageFate::kStored], (Tally{5, 50}));
}

}  // namespace
}  // namespace penstock
