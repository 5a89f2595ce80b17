// A volume in memory whose log is written step by step and then damaged.
#pragma once

#include <gtest/gtest.h>

#include "storage/recover/recovery.h"
#include "tests/lib/log_forge.h"

namespace penstock {

inline constexpr LogNumber kLog{0};

class DamageTest : public testing::Test {
 protected:
  DamageTest() : volume_(make_memory_volume(drive_, {"all", "rare"})), forge_(volume_) {}

  RecoveredVolume recover() { return recover_volume(volume_).value(); }
  static std::vector<Finding::Kind> kinds(const RecoveredVolume& recovered) {
    std::vector<Finding::Kind> kinds;
    for (const Finding& finding : recovered.findings) kinds.push_back(finding.kind);
    return kinds;
  }
  using Kinds = std::vector<Finding::Kind>;

  std::span<std::byte> slot(std::uint32_t number) { return drive_.slots.at(number); }
  void say_free(std::uint32_t number) {
    SegmentHeader header = decode_segment_header(slot(number).first(kPageBytes)).value();
    header.state = SlotState::kFree;
    header.generation = 0;
    encode_segment_header(slot(number).first(kPageBytes), header);
  }
  void bad_page(std::uint32_t slot, std::uint64_t page) {
    drive_.bad_pages.emplace(slot, static_cast<std::uint32_t>(page));
  }
  void blocks(int count) {
    for (int i = 0; i < count; ++i) forge_.block();
  }
  void closed(std::uint32_t number, std::vector<std::string> streams = {"all"}) {
    forge_.begin(number);
    for (int i = 0; i < 5; ++i) forge_.block(5000, streams);
    forge_.close();
  }
  static std::uint64_t next_offset(const RecoveredLog& log, std::string_view stream = "all") {
    for (const LogStart::Partition& partition : log.start.partitions) {
      if (partition.stream == stream_id(stream)) return partition.next_offset.value;
    }
    return 0;
  }
  static constexpr std::uint32_t kFooter = kMiB / kPageBytes - 1;

  MemoryDrive drive_;
  Volume volume_;
  LogForge forge_;
};

}  // namespace penstock
