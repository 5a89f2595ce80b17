// Where messages of all front doors enter a shard's log, and where the books of each are kept.
//
// A message is offered once and then is in exactly one place: refused under one fate, in flight, or
// stored.
#pragma once

#include <bit>
#include <span>
#include <vector>

#include "dataplane/ledger/account.h"
#include "storage/log/log_writer.h"

namespace penstock {

// One thread. Accounts outlive it. Nothing is allocated after construction.
class Intake final : public LogObserver {
 public:
  // `doors[i]` is the account of origin i.
  Intake(MessageAccount& shard, std::vector<MessageAccount*> doors);

  // The log that messages go to; set once, before the first message.
  void set_log(LogWriter& log) { log_ = &log; }

  // Names the accounts of the streams of a capture set, in its order. Before the set's first
  // message.
  void add_set(CaptureSetId set, std::span<MessageAccount* const> streams);

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

  // Brings all accounts up to date; before they are published.
  void settle();

 private:
  void turn_to(std::size_t origin, CaptureSetId set);
  void flush_offered();
  // Calls it with the account of each stream of the set.
  template <class F>
  void each_stream(CaptureSetId set, F&& use) {
    for (std::uint32_t left = sets_[set.value]; left != 0; left &= left - 1) {
      use(*streams_[static_cast<std::size_t>(std::countr_zero(left))]);
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
  std::vector<std::uint32_t> sets_;       // by CaptureSetId: bit i is streams_[i]
  std::vector<MessageAccount*> streams_;  // every one that is in a set, once
};

}  // namespace penstock
