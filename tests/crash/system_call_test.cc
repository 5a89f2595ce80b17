// Each call that a node makes on its files fails once, or from then on: open, fallocate, write,
// fsync, truncate, rename, remove, mkdir. The node's own start, its keeper and a log run over them:
// it says clearly what failed, or does without; what was durable is there afterwards.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>

#include <gtest/gtest.h>

#include "control/daemon/volumes.h"
#include "dataplane/ledger/ledger_file.h"
#include "tests/crash/lab.h"
#include "tests/crash/system_calls.h"
#include "tests/lib/log_fixture.h"
#include "tests/lib/log_judge.h"

namespace penstock {
namespace {

constexpr std::size_t kPayloadBytes = 14'000;
constexpr std::uint32_t kBlockBytes = 16 * 1024;
constexpr std::size_t kBlocks = 8;
constexpr int kSteps = 4'000;            // of a life on a drive that fails
constexpr std::uint64_t kMessages = 80;  // of a life: more than a segment

// What a node does with its volume and its ledger.
class StorageOfANode {
 public:
  explicit StorageOfANode(const std::string& folder) : folder_(folder) {}

  Result<> start() {
    Config config;
    config.node.name = "node";
    config.volumes.push_back({.name = "main",
                              .path = folder_ + "/volumes/main",
                              .segment_bytes = kSegmentBytesMin,
                              .block_bytes = kBlockBytes});
    config.volumes[0].retention.max_bytes = 4 * kMiB;
    config.shards.push_back({.volume = "main"});
    config.streams.push_back({.name = "all"});
    auto volumes = open_volumes(config, {{LogNumber(0)}}, clock_);
    if (!volumes) return std::unexpected(std::move(volumes.error()));
    volume_ = std::move(volumes->front());
    const std::vector<std::vector<AccountSpec>> areas(1);
    auto ledger =
        LedgerFile::create(folder_ + "/ledger", "node", areas, {{}, 0}, clock_.unix_now());
    if (!ledger) return std::unexpected(std::move(ledger.error()));
    ledger_ = std::move(*ledger);
    return start_log();
  }

  // Until so many are durable; on a drive that fails, a while.
  void run(std::uint64_t messages) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (int i = 0; observer_.messages < messages && std::chrono::steady_clock::now() < end; ++i) {
      const std::string payload = sim_payload(first_ + appended_, kPayloadBytes);
      MessageView message{.subject = "a", .received = clock_.unix_now()};
      message.payload = std::as_bytes(std::span(payload));
      if (appended_ < messages) {
        appended_ += log_->append(set_, 0, message) == Appended::kOk ? 1U : 0U;
      }
      volume_.keeper->step();
      log_->poll(clock_.monotonic_now());
      said_ =
          volume_.keeper->status().last_error.empty() ? said_ : volume_.keeper->status().last_error;
      // It says what is wrong, and tries again only after a second.
      if (!said_.empty() && i > kSteps && log_->in_flight().messages == stuck_) break;
      stuck_ = log_->in_flight().messages;
    }
  }

  [[nodiscard]] std::uint64_t first() const { return first_; }
  [[nodiscard]] std::uint64_t durable() const { return first_ + observer_.messages; }
  [[nodiscard]] std::uint64_t appended() const { return first_ + appended_; }
  [[nodiscard]] const std::string& said() const { return said_; }

 private:
  Result<> start_log() {
    LogStart& start = volume_.recovered.logs[LogNumber(0)].start;
    if (start.open) {
      auto file = volume_.volume->device().open_slot(SlotIndex(start.open->header.slot));
      if (!file) return std::unexpected(std::move(file.error()));
      start.open->file = *file;
    }
    if (!start.partitions.empty()) first_ = start.partitions[0].next_offset.value;
    auto ring = make_io_ring_linux({});
    if (!ring) return std::unexpected(std::move(ring.error()));
    ring_ = std::move(*ring);
    if (auto known = ring_->register_memory(pool_.memory()); !known) return known;
    log_ = std::make_unique<LogWriter>(
        LogOptions{.volume = volume_.volume->superblock().volume,
                   .log = LogNumber(0),
                   .segment_bytes = volume_.volume->superblock().segment_bytes,
                   .block_bytes = kBlockBytes},
        start, pool_, *ring_, *volume_.channels.at(LogNumber(0)), clock_, rng_, observer_);
    const StreamId all = stream_id("all");
    set_ = log_->captures().add_set({&all, 1}).value();
    return {};
  }

  std::string folder_;
  SystemClock clock_;
  PageBuffer memory_ = allocate_pages(kBlocks * kBlockBytes);
  BlockPool pool_{
      {memory_.get(), kBlocks* kBlockBytes},
      kBlockBytes
  };
  Rng rng_{1};
  CountingObserver observer_;
  RunningVolume volume_;
  std::unique_ptr<LedgerFile> ledger_;
  std::unique_ptr<IoRing> ring_;
  std::unique_ptr<LogWriter> log_;
  CaptureSetId set_;
  std::uint64_t first_ = 0;
  std::uint64_t appended_ = 0;
  std::uint64_t stuck_ = 0;
  std::string said_;
};

class SystemCalls : public testing::Test {
 protected:
  // One life on files that may fail, behind another one on files that do not, or on none. Returns
  // what is wrong.
  static std::string live(const faults::Plan& plan, const std::string& folder, bool first) {
    std::uint64_t durable = 0;
    std::uint64_t appended = 0;
    if (!first) {
      StorageOfANode before(folder);
      if (auto started = before.start(); !started) return "no start: " + started.error().what;
      before.run(kMessages);
      durable = before.durable();
      appended = before.appended();
    }
    lab::close_files_below(folder);
    std::string wrong;
    {
      StorageOfANode node(folder);
      faults::begin(plan);
      const auto started = node.start();
      if (started) {
        node.run(kMessages);
        if (node.first() != appended) wrong = fmt::format("it goes on at {}", node.first());
        durable = node.durable();
        appended = node.appended();
        const bool stopped = durable < appended || appended < node.first() + kMessages;
        if (stopped && node.said().empty()) wrong = "it stands still and says nothing";
      } else if (started.error().what.find(folder) == std::string::npos) {
        wrong = "it does not say what failed: " + started.error().what;
      }
      calls_made = faults::end();
    }
    lab::close_files_below(folder);
    if (wrong.empty()) wrong = what_is_there(folder, durable, appended);
    lab::close_files_below(folder);
    return wrong;
  }

  // As a process on files that work finds it.
  static std::string what_is_there(const std::string& folder, std::uint64_t durable,
                                   std::uint64_t appended) {
    StorageOfANode after(folder);
    if (auto started = after.start(); !started) return "no start later: " + started.error().what;
    if (after.first() < durable) return "an offset is given again";
    after.run(10);
    if (after.durable() < after.first() + 10) return "the log does not go on later";
    auto device = open_volume_device(folder + "/volumes/main", DeviceAccess::kReadOnly);
    if (!device) return device.error().what;
    return what_is_wrong(std::move(*device), {.durable = after.durable(),
                                              .trimmed_max = durable,
                                              .appended = std::max(appended, after.appended()),
                                              .payload_bytes = kPayloadBytes});
  }

  static inline std::array<std::uint64_t, faults::kCallNames.size()> calls_made{};
};

TEST_F(SystemCalls, WhicheverFailsNothingDurableIsLostAndItIsSaid) {
  const lab::Budget budget;
  lab::Figure figure("system_call_failures");
  for (const bool first : {true, false}) {
    const auto folder_of = [](const TestFolder& folder) { return folder.path(); };
    std::array<std::uint64_t, faults::kCallNames.size()> counts{};
    {
      const TestFolder folder;
      ASSERT_EQ(live({.under = folder_of(folder)}, folder_of(folder), first), "");
      counts = calls_made;
    }
    for (std::size_t call = 0; call < counts.size(); ++call) {
      for (std::uint64_t number = 0; number < counts[call]; ++number) {
        for (const bool for_ever : {false, true}) {
          // In the short form each call fails in one way of both.
          for (const int error : {EIO, ENOSPC}) {
            if (!budget.is_long() && (error == EIO) != (number % 2 == 0)) continue;
            if (budget.is_over() || figure.is_hopeless()) return;
            const TestFolder folder;
            const faults::Plan plan{folder_of(folder), static_cast<faults::Call>(call), number,
                                    error, for_ever};
            figure.count(live(plan, folder_of(folder), first), [&] {
              return fmt::format("{} number {}{}: {}{}", faults::kCallNames[call], number,
                                 first ? " of a new node" : "", std::strerror(error),
                                 for_ever ? " for ever" : "");
            });
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace penstock
