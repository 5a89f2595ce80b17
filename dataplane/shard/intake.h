// Where messages of all front doors enter a shard's log, and where the books of each are kept.
//
// A message is offered once and then is in exactly one place: refused under one fate, in flight, or
// stored.
#pragma once

#include <span>
#include <vector>

#include "dataplane/ledger/stream_books.h"
#include "storage/log/log_writer.h"

namespace penstock {

// One thread. Accounts outlive it. Nothing is allocated after construction.
class Intake final : public LogObserver {
 public:
  // `doors[i]` is the account of origin i.
  Intake(MessageAccount& shard, std::vector<MessageAccount*> doors, StreamBooks& streams);

  // The log that messages go to; set once, before the first message.
  void set_log(LogWriter& log) { log_ = &log; }

  // The place of a stream's books, by its partition of the log. Before the partition's first
  // message.
  void keep_books(std::uint32_t partition, std::size_t place) {
    partitions_[partition].place = static_cast<std::uint32_t>(place);
  }

  // A message of door `origin` for the streams of `set`.
  void offer(std::size_t origin, CaptureSetId set, const MessageView& message) {
    if (origin != origin_ || set != set_) [[unlikely]]
      turn_to(origin, set);
    const std::uint64_t bytes = message.payload.size();
    offered_.add(bytes);
    const Appended result = log_->append(set, origin, message);
    if (result != Appended::kOk) [[unlikely]]
      refuse(origin, set, result, {1, bytes});
  }
  // A run of a producer's, whose messages are offered if the log takes them: when it does not, the
  // caller may offer them again later, or refuse them.
  [[nodiscard]] Appended offer_run(std::size_t origin, CaptureSetId set, const ProducerRun& run) {
    const Appended result = log_->append_run(set, origin, run);
    if (result != Appended::kOk) [[unlikely]]
      return result;
    if (origin != origin_ || set != set_) [[unlikely]]
      turn_to(origin, set);
    offered_.add(run.message_count, run.payload_bytes);
    return result;
  }
  // Messages of a run that are offered and refused.
  void refuse_run(std::size_t origin, CaptureSetId set, Appended why, MessageCount count);
  void refuse_run(std::size_t origin, MessageFate why, MessageCount count);
  // A message that goes to no stream, and why.
  void offer_uncaptured(std::size_t origin, MessageFate why, const MessageView& message);

  // Who is told of runs, after the books: set once, before the first run.
  void set_observer(LogObserver& observer) { observer_ = &observer; }

  // Called by the log.
  void on_written(const Block& block) override;
  void on_durable(const Block& block) override;

  // Brings all accounts but those of streams up to date; before they are published.
  void settle();
  // Publishes the books of streams that changed, `most` of them; the others have their turn later.
  void publish_streams(std::size_t most = ~std::size_t{0});

 private:
  void turn_to(std::size_t origin, CaptureSetId set);
  void flush_offered();
  struct PartitionBooks {
    std::uint32_t place = 0;
    bool changed = false;  // since they were published
  };
  // Calls it with the account of each stream of the set, which changes.
  template <class F>
  void each_stream(CaptureSetId set, F&& use) {
    for (const std::uint32_t partition : log_->captures().partitions_of(set)) {
      PartitionBooks& books = partitions_[partition];
      if (!books.changed) {
        books.changed = true;
        changed_[changed_end_++ % changed_.size()] = partition;
      }
      use(streams_.at(books.place));
    }
  }
  void refuse(std::size_t origin, CaptureSetId set, Appended why, MessageCount count);

  // Messages come in trains of one door and one capture set: a train is counted here first.
  std::size_t origin_ = 0;
  CaptureSetId set_{0};
  Tally offered_;

  LogWriter* log_ = nullptr;
  LogObserver* observer_ = nullptr;
  MessageAccount& shard_;
  std::vector<MessageAccount*> doors_;
  StreamBooks& streams_;
  std::vector<PartitionBooks> partitions_;
  std::vector<std::uint32_t> changed_;  // a ring: partitions whose books did, each once
  std::uint64_t changed_begin_ = 0;
  std::uint64_t changed_end_ = 0;
};

}  // namespace penstock
