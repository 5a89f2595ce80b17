// A log, its keeper and its readers on threads of their own, over a real directory: for
// ThreadSanitizer, and for the order of what one thread sees of another.
#include <array>
#include <atomic>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/read/log_reader.h"
#include "tests/lib/log_fixture.h"

namespace penstock {
namespace {

constexpr std::uint64_t kMessages = 20'000;
constexpr std::size_t kPayloadBytes = 500;

// What a node's ledger carries to its readers: one moment of the log, as a whole.
class Edge {
 public:
  void set(const LogEnd& end) {
    const std::lock_guard lock(mutex_);
    end_ = end;
  }
  [[nodiscard]] LogEnd get() const {
    const std::lock_guard lock(mutex_);
    return end_;
  }

 private:
  mutable std::mutex mutex_;
  LogEnd end_;
};

struct Seen {
  std::uint64_t records = 0;
  std::uint64_t trimmed = 0;
  std::string wrong;
};

// Follows the log until all of it was read or told to be trimmed.
Seen follow(const std::string& path, const Edge& edge) {
  Volume volume = Volume::open(open_volume_device(path, DeviceAccess::kReadOnly).value()).value();
  LogReader reader(volume, LogNumber(0), stream_id("all"), {}, edge.get());
  Seen seen;
  std::uint64_t next = 0;
  while (next < kMessages) {
    reader.refresh(edge.get());
    const auto item = reader.next();
    if (!item) {
      seen.wrong = item.error().what;
      return seen;
    }
    if (std::holds_alternative<AtEnd>(*item)) std::this_thread::yield();
    if (const auto* gap = std::get_if<Gap>(&*item)) {
      if (gap->kind != GapKind::kTrimmed) seen.wrong = gap->what;
      if (gap->next.value > next) seen.trimmed += gap->next.value - next;
      next = std::max(next, gap->next.value);
    } else if (const auto* record = std::get_if<Record>(&*item)) {
      std::uint64_t number = 0;
      std::memcpy(&number, record->message.payload.data(), sizeof number);
      if (record->offset.value != next || number != next) {
        seen.wrong = fmt::format("{} at offset {} follows {}", number, record->offset, next);
      }
      ++seen.records;
      ++next;
    }
    if (!seen.wrong.empty()) return seen;
  }
  return seen;
}

TEST(LogThreads, ReadersFollowALogAndItsKeeper) {
  TestFolder folder;
  LogFixtureOptions options;
  options.retention.max_bytes = 4 * kMiB;
  LogFixture fixture(folder.path(), options);
  Edge edge;
  std::atomic<bool> stop = false;
  std::jthread keeper([&] {
    while (!stop) {
      if (!fixture.keeper().step()) std::this_thread::yield();
    }
  });
  std::array<Seen, 2> seen;
  std::vector<std::jthread> readers;
  for (Seen& one : seen) readers.emplace_back([&] { one = follow(folder.path(), edge); });

  // This thread is the log's, the one that made it.
  std::string payload(kPayloadBytes, 'x');
  const auto step = [&] {
    fixture.step_log();
    edge.set(end_of(fixture.log().watermarks()));
  };
  for (std::uint64_t number = 0; number < kMessages; ++number) {
    std::memcpy(payload.data(), &number, sizeof number);
    while (fixture.try_append("a.b", payload) != Appended::kOk) step();
    if (number % 16 == 0) step();
  }
  fixture.log().seal();
  while (!fixture.log().drained()) step();
  readers.clear();
  stop = true;
  keeper.join();
  for (const Seen& one : seen) {
    EXPECT_EQ(one.wrong, "");
    EXPECT_EQ(one.records + one.trimmed, kMessages);
  }
  EXPECT_GT(fixture.keeper().status().retired_segments, 0U);
}

}  // namespace
}  // namespace penstock
