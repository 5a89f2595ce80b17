// A volume in memory whose bytes a test may change at will.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "storage/volume/volume.h"

namespace penstock {

// The bytes outlive the devices that show them: several processes look at one drive.
struct MemoryDrive {
  std::vector<std::byte> head = std::vector<std::byte>(kVolumeHeadBytes);
  std::set<std::uint64_t> bad_head;  // offsets in the head: reading there fails
  std::map<std::uint32_t, std::vector<std::byte>> slots;        // shorter: the slot's file is
  std::set<std::pair<std::uint32_t, std::uint32_t>> bad_pages;  // of a slot: reading them fails
  std::set<std::uint32_t> bad_slots;      // writing to them, or making them, fails
  std::uint64_t bytes_max = 1ULL << 40U;  // of all slots
  std::uint64_t fixed_bytes = 0;          // as a block device has them
};

class MemoryDevice final : public VolumeDevice {
 public:
  explicit MemoryDevice(MemoryDrive& drive) : drive_(drive) {}

  const std::string& name() const override { return name_; }
  Result<> lock() override { return {}; }
  Result<> check_unused() override { return {}; }
  Result<> read_head(std::uint64_t offset, std::span<std::byte> into) override {
    const auto bad = drive_.bad_head.lower_bound(offset);
    if (failing || (bad != drive_.bad_head.end() && *bad < offset + into.size())) {
      return fail(Errc::kIoError, "the drive fails");
    }
    std::memcpy(into.data(), drive_.head.data() + offset, into.size());
    return {};
  }
  Result<> write_head(std::uint64_t offset, std::span<const std::byte> from) override {
    std::memcpy(drive_.head.data() + offset, from.data(), from.size());
    return {};
  }
  void set_segment_bytes(std::uint64_t bytes) override { segment_bytes_ = bytes; }
  Result<std::vector<SlotIndex>> list_slots() override {
    std::vector<SlotIndex> slots;
    for (const auto& [slot, bytes] : drive_.slots) slots.emplace_back(slot);
    return slots;
  }
  Result<bool> make_slot(SlotIndex slot) override {
    if (drive_.bad_slots.contains(slot.value)) return fail(Errc::kIoError, "a bad slot");
    drive_.slots[slot.value].assign(segment_bytes_, std::byte{0});
    return true;
  }
  Result<> remove_slot(SlotIndex slot) override {
    drive_.slots.erase(slot.value);
    return {};
  }
  Result<> read(SlotIndex slot, std::uint64_t offset, std::span<std::byte> into) override {
    const auto found = drive_.slots.find(slot.value);
    if (found == drive_.slots.end()) return fail(Errc::kNotFound, "no such slot");
    if (failing) return fail(Errc::kIoError, "the drive fails");
    if (offset + into.size() > found->second.size()) return fail(Errc::kCorrupt, "it ends there");
    const auto first = static_cast<std::uint32_t>(offset / kPageBytes);
    const auto end = static_cast<std::uint32_t>((offset + into.size()) / kPageBytes);
    const auto bad = drive_.bad_pages.lower_bound({slot.value, first});
    if (bad != drive_.bad_pages.end() && *bad < std::pair{slot.value, end}) {
      return fail(Errc::kIoError, "a bad page");
    }
    bytes_read += into.size();
    std::memcpy(into.data(), found->second.data() + offset, into.size());
    return {};
  }
  Result<> write(SlotIndex slot, std::uint64_t offset, std::span<const std::byte> from) override {
    if (drive_.bad_slots.contains(slot.value)) return fail(Errc::kIoError, "a bad slot");
    CHECK_LE(offset + from.size(), drive_.slots.at(slot.value).size());
    std::memcpy(drive_.slots.at(slot.value).data() + offset, from.data(), from.size());
    return {};
  }
  Result<> sync(SlotIndex /*slot*/) override { return {}; }
  Result<SlotFile> open_slot(SlotIndex /*slot*/) override { return SlotFile{}; }
  void close_slot(const SlotFile& /*file*/) override {}
  Result<DeviceSpace> space() override {
    return DeviceSpace{drive_.bytes_max - drive_.slots.size() * segment_bytes_, drive_.bytes_max};
  }

  std::uint64_t fixed_bytes() const override { return drive_.fixed_bytes; }

  std::uint64_t bytes_read = 0;
  bool failing = false;  // all reads

 private:
  MemoryDrive& drive_;
  std::string name_ = "memory";
  std::uint64_t segment_bytes_ = 0;
};

}  // namespace penstock
