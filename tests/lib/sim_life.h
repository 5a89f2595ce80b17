// One life of a log on a drive, simulated or real, under a simulated clock.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/log/keeper.h"
#include "storage/recover/torn_tail.h"
#include "storage/ring/io_ring_sim.h"
#include "storage/volume/device_sim.h"
#include "tests/lib/log_judge.h"
#include "tests/lib/producer_run.h"

namespace penstock {

struct SimLifeOptions {
  Durability durability = Durability::kSync;
  std::uint32_t block_bytes = 16 * 1024;
  std::size_t blocks = 8;
  std::size_t payload_bytes = 10'000;
  Retention retention;
  std::uint64_t sessions = 0;        // of producers, who bring all messages; 0: nobody numbers them
  std::function<void()> on_durable;  // called when another block was reported durable
};

class SimLife {
 public:
  SimLife(SimDrive& drive, SimClock& clock, std::uint64_t seed, const SimLifeOptions& options = {})
      : SimLife(make_sim_device(drive), make_io_ring_sim(drive), clock, seed, options) {}

  SimLife(std::unique_ptr<VolumeDevice> device, std::unique_ptr<IoRing> ring, SimClock& clock,
          std::uint64_t seed, const SimLifeOptions& options)
      : options_(options),
        clock_(clock),
        rng_(seed),
        memory_(allocate_pages(options.blocks * options.block_bytes)),
        pool_({memory_.get(), options.blocks * options.block_bytes}, options.block_bytes),
        volume_(open(std::move(device), clock)),
        recovered(recover_volume(volume_).value()),
        keeper_(volume_, {.retention = options.retention}, clock),
        ring_(std::move(ring)) {
    clear_torn_tails(volume_, recovered);
    EXPECT_TRUE(ring_->register_memory(pool_.memory()).has_value());
    EXPECT_TRUE(volume_.add_streams(std::vector<std::string>{"all"}).has_value());
    for (const SlotIndex slot : recovered.free_slots) keeper_.add_free_slot(slot);
    for (const SlotIndex slot : recovered.void_slots) keeper_.add_void_slot(slot);
    RecoveredLog& log = find_or_begin(recovered, LogNumber(0));
    keeper_.add_log(LogNumber(0), &channel_, log.segments);
    if (log.start.open) {
      log.start.open->file =
          volume_.device().open_slot(SlotIndex(log.start.open->header.slot)).value();
    }
    if (!log.start.partitions.empty()) appended_ = log.start.partitions[0].next_offset.value;
    observer_.durable = appended_;
    observer_.reported = options_.on_durable;
    log_ =
        std::make_unique<LogWriter>(LogOptions{.volume = volume_.superblock().volume,
                                               .log = LogNumber(0),
                                               .segment_bytes = volume_.superblock().segment_bytes,
                                               .block_bytes = options.block_bytes,
                                               .durability = options.durability,
                                               .producers = options.sessions == 0 ? 0U : 64U},
                                    log.start, pool_, *ring_, channel_, clock, rng_, observer_);
    const StreamId all = stream_id("all");
    set_ = log_->captures().add_set({&all, 1}).value();
    for (std::uint64_t i = 0; i < options.sessions; ++i) {
      const auto known = log_->producers().find(SessionNumber(i));
      sessions_[SessionNumber(i)].start = known ? log_->producers().at(*known).next : 0;
    }
  }

  bool append() {
    if (options_.sessions != 0) return append_run();
    const std::string payload = sim_payload(appended_, options_.payload_bytes);
    MessageView message;
    message.subject = "a";
    message.received = clock_.unix_now();
    message.payload = std::as_bytes(std::span(payload));
    if (log_->append(set_, 0, message) != Appended::kOk) return false;
    ++appended_;
    return true;
  }
  // One or two messages of a session, which leaves some out in front of them or behind them, at
  // times.
  bool append_run() {
    const SessionNumber session(rng_.below(options_.sessions));
    SimSession& seen = sessions_[session];
    ProducerTable& producers = log_->producers();
    auto known = producers.find(session);
    if (!known) known = producers.add(session, 0).value();
    const std::uint64_t sequence = producers.at(*known).next + (rng_.chance(200'000) ? 2 : 0);
    std::vector<std::string> payloads{sim_payload(appended_, options_.payload_bytes)};
    if (rng_.chance(300'000))
      payloads.push_back(sim_payload(appended_ + 1, options_.payload_bytes));
    const LaidOutMessages messages = lay_out("a", payloads);
    if (log_->append_run(set_, 0, messages.run(*known, sequence, clock_.unix_now())) !=
        Appended::kOk) {
      return false;
    }
    appended_ += messages.count;
    seen.runs.insert(sequence);
    seen.left_out_upto.insert(sequence);
    if (rng_.chance(200'000)) {
      producers.set_next(*known, producers.at(*known).next + 3);
      seen.left_out_upto.insert(producers.at(*known).next);
    }
    return true;
  }
  // Appends until `segments` are closed.
  void fill(std::uint64_t segments) {
    while (log_->counters().segments_closed < segments) {
      static_cast<void>(append());
      step();
    }
  }
  void step() {
    keeper_.step();
    step_log();
  }
  void step_log() {
    log_->poll(clock_.monotonic_now());
    clock_.advance(50'000);
  }

  // Messages that were taken, and those of them that were reported durable, earlier lives'
  // included.
  [[nodiscard]] std::uint64_t appended() const { return appended_; }
  [[nodiscard]] std::uint64_t durable() const { return observer_.durable; }
  [[nodiscard]] const std::vector<KeptSegment>& segments() const {
    return keeper_.segments(LogNumber(0));
  }
  [[nodiscard]] const SimSessions& sessions() const { return sessions_; }
  [[nodiscard]] VolumeDevice& device() { return volume_.device(); }
  [[nodiscard]] LogWriter& log() { return *log_; }

 private:
  class Observer final : public LogObserver {
   public:
    void on_durable(const Block& block) override {
      durable += block.total.messages;
      if (reported) reported();
    }
    std::uint64_t durable = 0;
    std::function<void()> reported;
  };
  static Volume open(std::unique_ptr<VolumeDevice> device, Clock& clock) {
    if (Volume::exists(*device).value()) return Volume::open(std::move(device)).value();
    return Volume::create(std::move(device), {.segment_bytes = kSegmentBytesMin}, VolumeId{},
                          clock.unix_now())
        .value();
  }

  SimLifeOptions options_;
  SimClock& clock_;
  Rng rng_;
  Observer observer_;
  PageBuffer memory_;
  BlockPool pool_;
  SegmentChannel channel_;
  Volume volume_;

 public:
  RecoveredVolume recovered;

 private:
  Keeper keeper_;
  std::unique_ptr<IoRing> ring_;
  std::unique_ptr<LogWriter> log_;
  CaptureSetId set_;
  std::uint64_t appended_ = 0;
  SimSessions sessions_;
};

// The same on a simulated drive.
[[nodiscard]] inline std::string what_is_wrong(SimDrive& drive, const LogExpectation& expected) {
  return what_is_wrong(make_sim_device(drive), expected);
}

}  // namespace penstock
