// A log of numbered messages in memory, and a reader's view of it.
#pragma once

#include <gtest/gtest.h>

#include "base/rng.h"
#include "storage/read/log_reader.h"
#include "tests/lib/log_forge.h"

namespace penstock {

inline constexpr LogNumber kLog{0};
inline const StreamId kAll = stream_id("all");
inline const StreamId kOdd = stream_id("odd");

// A log of numbered messages, all in "all", every second one in "odd" too; message n is received at
// 100 n.
class LogReaderTest : public testing::Test {
 protected:
  explicit LogReaderTest(std::uint64_t segment_bytes = 1 * kMiB)
      : volume_(make_memory_volume(drive_, {"all", "odd"}, segment_bytes)), forge_(volume_) {}

  void blocks(int count, int messages = 3) {
    for (int i = 0; i < count; ++i) {
      for (int m = 0; m < messages; ++m) message();
      forge_.seal();
    }
  }
  void message() {
    forge_.time = 100 * static_cast<std::int64_t>(written_);
    std::vector<std::string> streams = {"all"};
    if (written_ % 2 == 1) streams.emplace_back("odd");
    forge_.message(fmt::format("{} {}", written_, std::string(1500, 'x')), streams);
    ++written_;
  }
  // Fills the segment and closes it.
  void fill() {
    while (forge_.has_room(LogForge::kBlockBytes)) blocks(1, 20);
    forge_.close();
  }
  void closed(std::uint32_t slot, std::uint64_t oldest = 0) {
    forge_.begin(slot, oldest);
    fill();
  }

  LogEnd end() {
    return {forge_.place.sequence, SlotIndex(forge_.header().slot),
            Generation(forge_.header().generation), forge_.position()};
  }
  LogReader reader(std::optional<StreamId> stream) {
    RecoveredLog log = recover_volume(volume_).value().logs[kLog];
    return LogReader(volume_, kLog, stream, log, end_of(log));
  }

  // Reads to the end. The number of each message is what its payload says.
  struct Got {
    std::vector<std::uint64_t> numbers;
    std::vector<std::uint64_t> offsets;
    std::vector<Gap> gaps;
  };
  static Got read(LogReader& reader, std::size_t at_most = ~std::size_t{0}) {
    Got got;
    while (got.numbers.size() < at_most) {
      const Item item = reader.next().value();
      if (std::holds_alternative<AtEnd>(item)) break;
      if (const auto* gap = std::get_if<Gap>(&item)) {
        got.gaps.push_back(*gap);
        continue;
      }
      const auto& record = std::get<Record>(item);
      std::uint64_t number = 0;
      for (const std::byte b : record.message.payload) {
        if (b == std::byte{' '}) break;
        number = number * 10 + static_cast<std::uint64_t>(b) - '0';
      }
      got.numbers.push_back(number);
      got.offsets.push_back(record.offset.value);
    }
    return got;
  }
  static std::vector<std::uint64_t> count(std::uint64_t from, std::uint64_t to,
                                          std::uint64_t step = 1) {
    std::vector<std::uint64_t> numbers;
    for (; from < to; from += step) numbers.push_back(from);
    return numbers;
  }
  std::span<std::byte> slot(std::uint32_t number) { return drive_.slots.at(number); }

  MemoryDrive drive_;
  Volume volume_;
  LogForge forge_;
  std::uint64_t written_ = 0;
};

class LogReaderLargeSegmentsTest : public LogReaderTest {
 protected:
  LogReaderLargeSegmentsTest() : LogReaderTest(4 * kMiB) {}
};

}  // namespace penstock
