// A log on a real directory volume, driven step by step by one thread: what a shard and a keeper
// do.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "storage/log/keeper.h"
#include "storage/log/log_writer.h"
#include "storage/recover/recovery.h"
#include "storage/recover/segment_scan.h"
#include "storage/recover/torn_tail.h"
#include "storage/ring/io_ring_linux.h"
#include "tests/lib/producer_run.h"

namespace penstock {

// On the build's file system: /tmp may be a tmpfs, which takes direct I/O too lightly.
class TestFolder {
 public:
  TestFolder() {
    std::filesystem::create_directories("build/tmp");
    std::string pattern = std::filesystem::absolute("build/tmp/test-XXXXXX");
    path_ = mkdtemp(pattern.data());
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class CountingObserver final : public LogObserver {
 public:
  void on_durable(const Block& block) override {
    ++blocks;
    messages += block.total.messages;
    if (durability == Durability::kFlush) {
      EXPECT_LE(blocks, written) << "told in time that it was written";
    }
  }
  void on_written(const Block& /*block*/) override { ++written; }
  Durability durability = Durability::kSync;  // of the log
  std::uint64_t blocks = 0;
  std::uint64_t written = 0;
  std::uint64_t messages = 0;
};

struct LogFixtureOptions {
  std::uint64_t segment_bytes = 1 * kMiB;
  std::uint32_t block_bytes = 64 * 1024;
  std::size_t blocks = 8;
  Durability durability = Durability::kSync;
  Retention retention;
  std::uint64_t capacity_bytes = 0;
  std::size_t producers = 0;
  std::size_t other_producers = 0;  // sessions that came from another log
  // Puts another ring in front of the real one.
  std::function<std::unique_ptr<IoRing>(std::unique_ptr<IoRing>)> in_front;
};

// The volume is made when the folder is blank, and recovered when it is not.
class LogFixture {
 public:
  explicit LogFixture(const std::string& path, const LogFixtureOptions& options = {})
      : memory_(allocate_pages(options.blocks * options.block_bytes)),
        pool_({memory_.get(), options.blocks * options.block_bytes}, options.block_bytes),
        rng_(1) {
    observer.durability = options.durability;
    open_volume(path, options);
    recovered_ = recover_volume(*volume_).value();
    clear_torn_tails(*volume_, recovered_);
    keeper_ = std::make_unique<Keeper>(
        *volume_,
        KeeperOptions{.capacity_bytes = options.capacity_bytes, .retention = options.retention},
        clock_);
    for (const SlotIndex slot : recovered_.free_slots) keeper_->add_free_slot(slot);
    for (const SlotIndex slot : recovered_.void_slots) keeper_->add_void_slot(slot);
    RecoveredLog& log = find_or_begin(recovered_, LogNumber(0));
    keeper_->add_log(LogNumber(0), &channel_, log.segments);
    if (log.start.open) {
      log.start.open->file =
          volume_->device().open_slot(SlotIndex(log.start.open->header.slot)).value();
    }
    for (std::size_t i = 0; i < options.other_producers; ++i) {
      log.start.producers.push_back({SessionNumber(1'000'000 + i), i, UnixNanos(1)});
    }
    ring_ = make_io_ring_linux({}).value();
    if (options.in_front) ring_ = options.in_front(std::move(ring_));
    EXPECT_TRUE(ring_->register_memory(pool_.memory()).has_value());
    log_ =
        std::make_unique<LogWriter>(LogOptions{.volume = volume_->superblock().volume,
                                               .log = LogNumber(0),
                                               .segment_bytes = volume_->superblock().segment_bytes,
                                               .block_bytes = options.block_bytes,
                                               .durability = options.durability,
                                               .producers = options.producers},
                                    log.start, pool_, *ring_, channel_, clock_, rng_, observer);
    const StreamId all = stream_id("all");
    set_ = log_->captures().add_set({&all, 1}).value();
  }

  // Appends, stepping everything while there is no room.
  void append(std::string_view subject, std::string_view payload) {
    while (try_append(subject, payload) != Appended::kOk) step();
  }
  Appended try_append(std::string_view subject, std::string_view payload) {
    MessageView message;
    message.subject = subject;
    message.received = clock_.unix_now();
    message.payload = std::as_bytes(std::span(payload));
    return log_->append(set_, 0, message);
  }
  // A run of the session, which becomes known when it is not.
  void append_run(SessionNumber session, std::uint64_t sequence, const LaidOutMessages& messages) {
    while (try_append_run(session, sequence, messages) != Appended::kOk) step();
  }
  Appended try_append_run(SessionNumber session, std::uint64_t sequence,
                          const LaidOutMessages& messages) {
    auto producer = log_->producers().find(session);
    if (!producer) producer = log_->producers().add(session, sequence).value();
    return log_->append_run(set_, 0, messages.run(*producer, sequence, clock_.unix_now()));
  }
  void step() {
    keeper_->step();
    step_log();
  }
  void step_log() { log_->poll(clock_.monotonic_now()); }
  // Seals and waits until all is durable; with `mark`, ends in order.
  void drain(bool mark = true) {
    log_->seal();
    while (!log_->drained()) step();
    if (!mark) return;
    log_->mark_clean_end();
    while (!log_->drained()) step();
    while (keeper_->step()) {
    }
  }

  [[nodiscard]] LogWriter& log() { return *log_; }
  [[nodiscard]] Keeper& keeper() { return *keeper_; }
  [[nodiscard]] Volume& volume() { return *volume_; }
  [[nodiscard]] const RecoveredVolume& recovered() const { return recovered_; }
  CountingObserver observer;

 private:
  void open_volume(const std::string& path, const LogFixtureOptions& options) {
    auto device = open_volume_device(path, DeviceAccess::kReadWrite).value();
    EXPECT_TRUE(device->lock().has_value());
    auto opened = Volume::open(std::move(device));
    if (!opened) {
      EXPECT_EQ(opened.error().code, Errc::kNotFound) << opened.error().what;
      opened = Volume::create(open_volume_device(path, DeviceAccess::kReadWrite).value(),
                              {.segment_bytes = options.segment_bytes}, VolumeId{std::byte{7}},
                              clock_.unix_now());
    }
    volume_ = std::make_unique<Volume>(std::move(opened.value()));
    const std::string all = "all";
    EXPECT_TRUE(volume_->add_streams({&all, 1}).has_value());
  }

  SystemClock clock_;
  PageBuffer memory_;
  BlockPool pool_;
  Rng rng_;
  SegmentChannel channel_;
  RecoveredVolume recovered_;
  std::unique_ptr<Volume> volume_;
  std::unique_ptr<Keeper> keeper_;
  std::unique_ptr<IoRing> ring_;
  std::unique_ptr<LogWriter> log_;
  CaptureSetId set_;
};

// All payloads of a volume's log 0, in order, as a fresh process would find them.
inline std::vector<std::string> read_payloads(const std::string& path) {
  Volume volume = Volume::open(open_volume_device(path, DeviceAccess::kReadOnly).value()).value();
  const RecoveredVolume recovered = recover_volume(volume).value();
  std::vector<std::string> payloads;
  for (const auto& [number, log] : recovered.logs) {
    std::uint64_t expected = 0;
    for (std::size_t i = 0; i < log.segments.size(); ++i) {
      SegmentScan scan(volume.device(), log.segments[i].header);
      const std::uint64_t end = i + 1 < log.segments.size()
                                    ? log.segments[i + 1].header.base_sequence
                                    : log.start.next_sequence.value;
      if (i == 0) expected = log.segments[0].header.base_sequence;
      while (expected < end) {
        const auto found = scan.here().value();
        if (!found) break;
        EXPECT_EQ(found->header.sequence, expected);
        ++expected;
        BlockReader block(found->bytes);
        for (auto bytes = block.next_run(); !bytes.empty(); bytes = block.next_run()) {
          RunReader run(bytes);
          while (const auto message = run.next()) {
            payloads.emplace_back(reinterpret_cast<const char*>(message->payload.data()),
                                  message->payload.size());
          }
        }
        scan.step_over(*found);
      }
    }
    EXPECT_EQ(expected, log.start.next_sequence.value);
  }
  return payloads;
}

}  // namespace penstock
