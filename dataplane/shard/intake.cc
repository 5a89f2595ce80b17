#include "dataplane/shard/intake.h"

#include <algorithm>

#include "base/check.h"

namespace penstock {
namespace {

MessageFate fate_of(Appended result) {
  switch (result) {
    case Appended::kOk: return MessageFate::kStored;
    case Appended::kTooLarge: return MessageFate::kTooLarge;
    case Appended::kDriveSlow: return MessageFate::kDriveSlow;
    case Appended::kVolumeFull: return MessageFate::kVolumeFull;
    case Appended::kVolumeFailed: return MessageFate::kVolumeFailed;
  }
  CHECK(false);
}

// What was taken and is not stored yet.
Tally in_flight(const MessageAccount& account) {
  Tally left = account.offered;
  for (const Tally& fate : account.fates) {
    CHECK_GE(left.count, fate.count);
    CHECK_GE(left.bytes, fate.bytes);
    left.count -= fate.count;
    left.bytes -= fate.bytes;
  }
  return left;
}

}  // namespace

Intake::Intake(MessageAccount& shard, std::vector<MessageAccount*> doors, StreamBooks& streams)
    : shard_(shard),
      doors_(std::move(doors)),
      streams_(streams),
      partitions_(CaptureTable::kPartitionsMax),
      changed_(CaptureTable::kPartitionsMax) {
  CHECK_LE(doors_.size(), kOriginsMax);
}

void Intake::turn_to(std::size_t origin, CaptureSetId set) {
  flush_offered();
  origin_ = origin;
  set_ = set;
}

void Intake::flush_offered() {
  if (offered_.count == 0) return;
  doors_[origin_]->offered += offered_;
  shard_.offered += offered_;
  each_stream(set_, [this](MessageAccount& stream) { stream.offered += offered_; });
  offered_ = {};
}

void Intake::refuse(std::size_t origin, CaptureSetId set, Appended why, MessageCount count) {
  const MessageFate fate = fate_of(why);
  (*doors_[origin])[fate].add(count.messages, count.bytes);
  shard_[fate].add(count.messages, count.bytes);
  each_stream(set, [&](MessageAccount& stream) { stream[fate].add(count.messages, count.bytes); });
}

void Intake::refuse_run(std::size_t origin, CaptureSetId set, Appended why, MessageCount count) {
  if (origin != origin_ || set != set_) turn_to(origin, set);
  offered_.add(count.messages, count.bytes);
  refuse(origin, set, why, count);
}

void Intake::refuse_run(std::size_t origin, MessageFate why, MessageCount count) {
  doors_[origin]->offered.add(count.messages, count.bytes);
  (*doors_[origin])[why].add(count.messages, count.bytes);
  shard_.offered.add(count.messages, count.bytes);
  shard_[why].add(count.messages, count.bytes);
}

void Intake::offer_uncaptured(std::size_t origin, MessageFate why, const MessageView& message) {
  refuse_run(origin, why, {1, message.payload.size()});
}

void Intake::on_written(const Block& block) {
  if (observer_ != nullptr) observer_->on_written(block);
}

void Intake::on_durable(const Block& block) {
  flush_offered();  // a message must not be stored before it was offered
  for (std::size_t origin = 0; origin < doors_.size(); ++origin) {
    const MessageCount& count = block.origins[origin];
    (*doors_[origin])[MessageFate::kStored].add(count.messages, count.bytes);
  }
  shard_[MessageFate::kStored].add(block.total.messages, block.total.bytes);
  for (const RunNote& note : block.run_notes.first(block.notes)) {
    each_stream(note.set, [&](MessageAccount& stream) {
      stream[MessageFate::kStored].add(note.messages, note.payload_bytes);
    });
  }
  if (observer_ != nullptr) observer_->on_durable(block);
}

void Intake::settle() {
  flush_offered();
  for (MessageAccount* door : doors_) door->in_flight = in_flight(*door);
  // The shard's own is counted by the log itself, from its blocks: the books are checked against
  // it.
  const MessageCount count = log_->in_flight();
  shard_.in_flight = {count.messages, count.bytes};
}

void Intake::publish_streams(std::size_t most) {
  flush_offered();
  for (; most > 0 && changed_begin_ != changed_end_; --most) {
    PartitionBooks& books = partitions_[changed_[changed_begin_++ % changed_.size()]];
    MessageAccount& account = streams_.at(books.place);
    account.in_flight = in_flight(account);
    streams_.publish(books.place);
    books.changed = false;
  }
}

}  // namespace penstock
