// Crash points of real I/O: a log writes through io_uring and O_DIRECT to a drive that logs what it
// does and when. Of that log every prefix is a drive that lost power there; of the writes that no
// flush had made stable any may be missing, or be there in part. What had been reported durable by
// then is on each of them, once, in order, and nothing else.
#include <algorithm>

#include <gtest/gtest.h>

#include "storage/ring/io_ring_linux.h"
#include "tests/crash/lab.h"
#include "tests/lib/flat_image.h"
#include "tests/lib/log_fixture.h"
#include "tests/lib/logged_drive.h"
#include "tests/lib/sim_life.h"

namespace penstock {
namespace {

constexpr std::uint64_t kDriveBytes = kVolumeHeadBytes + 8 * kMiB;
constexpr std::uint64_t kSectorBytes = 512;
constexpr std::uint64_t kPageSectors = kPageBytes / kSectorBytes;
constexpr std::size_t kPayloadBytes = 14'000;
constexpr std::uint64_t kWrites = 2'000;
constexpr std::uint64_t kSubsets = 2;  // at each write
constexpr std::uint64_t kSubsetsLong = 4;
constexpr std::uint64_t kTornWrites = 16;  // that are cut at each of their sectors
constexpr std::uint64_t kTornWritesLong = 72;
constexpr std::uint64_t kTornBytesMax = 64 * 1024;

// What was known outside of the drive, and how long the drive's log was when it was.
struct Mark {
  std::uint64_t log_bytes;
  std::uint64_t count;
};

struct Workload {
  WriteLog log;
  std::vector<Mark> durable;   // messages reported; by the end of the log noted behind the report
  std::vector<Mark> trimmed;   // oldest message kept; noted before it was
  std::vector<Mark> appended;  // messages; noted behind them

  // What has to be on a drive that stopped when its log was so long.
  [[nodiscard]] LogExpectation expected_at(std::uint64_t log_bytes) const {
    LogExpectation expected{.payload_bytes = kPayloadBytes};
    const auto last_before = [&](const std::vector<Mark>& marks, std::uint64_t end) {
      const auto behind = std::ranges::upper_bound(marks, end, {}, &Mark::log_bytes);
      return behind == marks.begin() ? 0 : std::prev(behind)->count;
    };
    expected.durable = last_before(durable, log_bytes);
    expected.trimmed_max = last_before(trimmed, log_bytes);
    const auto seen = std::ranges::lower_bound(appended, log_bytes, {}, &Mark::log_bytes);
    expected.appended = seen == appended.end() ? appended.back().count : seen->count;
    return expected;
  }
};

// Bursts of messages, and now and then a moment in which all of them are durable.
Result<Workload> run_workload(const std::string& folder, Durability durability) {
  auto drive = LoggedDrive::start(folder, kDriveBytes);
  if (!drive) return std::unexpected(std::move(drive.error()));
  auto ring = make_io_ring_linux({});
  if (!ring) return std::unexpected(std::move(ring.error()));
  auto device = open_volume_device((*drive)->path(), DeviceAccess::kReadWrite);
  if (!device) return std::unexpected(std::move(device.error()));
  Workload work;
  Rng rng(lab::seed());
  SimClock clock;
  SimLife* alive = nullptr;
  SimLifeOptions options{.durability = durability, .payload_bytes = kPayloadBytes};
  options.retention.max_bytes = 3 * kMiB;
  options.on_durable = [&] {
    if (alive != nullptr) work.durable.push_back({(*drive)->log_bytes(), alive->durable()});
  };
  {
    SimLife life(std::move(*device), std::move(*ring), clock, lab::seed(), options);
    alive = &life;
    const auto step = [&] {
      const std::uint64_t before = (*drive)->log_bytes();
      life.step();
      const auto& segments = life.segments();
      // One message a block.
      const std::uint64_t oldest = segments.empty() ? 0 : segments.front().header.base_sequence;
      work.trimmed.push_back({before, oldest});
      work.appended.push_back({(*drive)->log_bytes(), life.appended()});
    };
    while (life.durable() < kWrites) {
      for (std::uint64_t left = 1 + rng.below(12); left > 0; left -= life.append() ? 1 : 0) step();
      if (!rng.chance(150'000)) continue;
      life.log().seal();
      while (!life.log().drained()) step();
    }
  }
  alive = nullptr;
  auto log = WriteLog::read((*drive)->log_path());
  if (!log) return std::unexpected(std::move(log.error()));
  work.log = std::move(*log);
  return work;
}

// Plays a log of writes back. `stable` is what the last flush left, `cache` what came since.
class Replay {
 public:
  Replay(const Workload& work, unsigned worker, unsigned workers, lab::Figure& boundaries,
         lab::Figure& subsets, lab::Figure& torn)
      : work_(work),
        worker_(worker),
        workers_(workers),
        boundaries_(boundaries),
        subsets_(subsets),
        torn_(torn) {}

  void run() {
    const std::vector<LoggedWrite>& writes = work_.log.writes();
    const bool is_long = lab::Budget().is_long();
    const std::uint64_t subsets = is_long ? kSubsetsLong : kSubsets;
    const std::uint64_t torn_writes = is_long ? kTornWritesLong : kTornWrites;
    const std::uint64_t torn_every = std::max<std::uint64_t>(writes.size() / torn_writes / 2, 1);
    std::uint64_t until_torn = torn_every;
    for (at_ = 0; at_ < writes.size() && !boundaries_.is_hopeless(); ++at_) {
      const LoggedWrite& write = writes[at_];
      expected_ = work_.expected_at(write.log_end);
      if (write.flush) {
        for (const LoggedWrite* done : cache_) land(*done);
        cache_.clear();
      } else {
        cache_.push_back(&write);
      }
      if (is_mine()) judge_boundary();
      if (write.flush) continue;
      for (std::uint64_t i = 0; i < subsets; ++i) {
        if (is_mine()) judge_subset(i);
      }
      if (--until_torn > 0 || write.bytes.size() > kTornBytesMax) {
        until_torn = std::max<std::uint64_t>(until_torn, 1);
        continue;
      }
      until_torn = torn_every;
      judge_torn(write);
    }
  }

 private:
  // The cases are shared out in turn.
  bool is_mine() { return number_++ % workers_ == worker_; }

  void land(const LoggedWrite& write) {
    std::ranges::copy(write.bytes, image_.begin() + static_cast<std::ptrdiff_t>(write.offset));
  }
  void land(const LoggedWrite& write, std::uint64_t sector, std::uint64_t from_sector) {
    std::ranges::copy(
        write.bytes.subspan(from_sector * kSectorBytes, kSectorBytes),
        image_.begin() + static_cast<std::ptrdiff_t>(write.offset + sector * kSectorBytes));
  }

  // Judges the image, after which it is again what the last flush left.
  void judge(lab::Figure& figure, bool verify, const std::function<std::string()>& what) {
    const std::string wrong = what_is_wrong(std::make_unique<FlatImage>(image_), expected_, verify);
    figure.count(wrong, [&] { return fmt::format("behind entry {}{}", at_, what()); });
    for (const LoggedWrite* write : cache_) {
      const auto begin = static_cast<std::ptrdiff_t>(write->offset);
      std::copy_n(stable_.begin() + begin, write->bytes.size(), image_.begin() + begin);
    }
  }
  void save() {
    for (const LoggedWrite* write : cache_) {
      const auto begin = static_cast<std::ptrdiff_t>(write->offset);
      std::copy_n(image_.begin() + begin, write->bytes.size(), stable_.begin() + begin);
    }
  }

  void judge_boundary() {
    save();
    for (const LoggedWrite* write : cache_) land(*write);
    judge(boundaries_, true, [] { return std::string(); });
  }

  // Each of the writes that are not stable is there, is not, or is there in part.
  void judge_subset(std::uint64_t round) {
    save();
    Rng rng(lab::seed() * 1'000'003 + at_ * kSubsetsLong + round);
    for (const LoggedWrite* write : cache_) {
      const std::uint64_t landing = rng.below(3);
      if (landing == 0) land(*write);
      if (landing != 1) continue;
      for (std::uint64_t i = 0; i < write->bytes.size() / kSectorBytes; ++i) {
        if (rng.chance(500'000)) land(*write, i, i);
      }
    }
    judge(subsets_, round == 0, [&] { return fmt::format(", subset {}", round); });
  }

  // The write is there up to a sector; behind it are zeros, what was there before, or its other
  // sectors in another order.
  void judge_torn(const LoggedWrite& torn) {
    const std::uint64_t sectors = torn.bytes.size() / kSectorBytes;
    for (std::uint64_t cut = 1; cut < sectors; ++cut) {
      for (const std::string_view rest : {"zeros", "old", "shuffled"}) {
        if (!is_mine()) continue;
        save();
        for (const LoggedWrite* write : cache_) {
          if (write != &torn) land(*write);
        }
        for (std::uint64_t i = 0; i < cut; ++i) land(torn, i, i);
        for (std::uint64_t i = cut; i < sectors; ++i) {
          if (rest == "shuffled") land(torn, i, sectors - 1 - (i - cut));
          if (rest != "zeros") continue;
          const auto begin = static_cast<std::ptrdiff_t>(torn.offset + i * kSectorBytes);
          std::fill_n(image_.begin() + begin, kSectorBytes, std::byte{0});
        }
        // The kernel joins writes: a header's with the block's behind it. Shuffled, the header's
        // page holds what nobody wrote there, and `verify` is right to say so.
        const bool mixes_pages = rest == "shuffled" && sectors > kPageSectors && cut < kPageSectors;
        judge(torn_, cut % 8 == 1 && !mixes_pages,
              [&] { return fmt::format(", cut at {}, then {}", cut, rest); });
      }
    }
  }

  const Workload& work_;
  unsigned worker_;
  unsigned workers_;
  lab::Figure& boundaries_;
  lab::Figure& subsets_;
  lab::Figure& torn_;
  std::vector<std::byte> image_ = std::vector<std::byte>(kDriveBytes);
  std::vector<std::byte> stable_ = std::vector<std::byte>(kDriveBytes);  // where the cache lies
  std::vector<const LoggedWrite*> cache_;
  std::uint64_t at_ = 0;
  std::uint64_t number_ = 0;
  LogExpectation expected_;
};

void crash_everywhere(Durability durability, const std::string& name) {
  const TestFolder folder;
  const auto work = run_workload(folder.path(), durability);
  if (!work && work.error().code == Errc::kUnavailable) GTEST_SKIP() << work.error().what;
  ASSERT_TRUE(work.has_value()) << work.error().what;
  EXPECT_GE(std::ranges::count(work->log.writes(), false, &LoggedWrite::flush), kWrites);
  EXPECT_GT(work->trimmed.back().count, kWrites / 2) << "slots were used again";
  lab::Figure boundaries("real_io_crash_points_" + name);
  lab::Figure subsets("real_io_unflushed_subsets_" + name);
  lab::Figure torn("real_io_torn_writes_" + name);
  lab::in_parallel([&](unsigned worker, unsigned workers) {
    Replay(*work, worker, workers, boundaries, subsets, torn).run();
  });
}

TEST(RealIo, ACrashAnywhereLosesNothingThatWasDurableWithSynchronousWrites) {
  crash_everywhere(Durability::kSync, "sync");
}
TEST(RealIo, ACrashAnywhereLosesNothingThatWasDurableWithFlushes) {
  crash_everywhere(Durability::kFlush, "flush");
}

}  // namespace
}  // namespace penstock
