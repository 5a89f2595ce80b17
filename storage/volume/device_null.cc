#include "storage/volume/device_null.h"

#include <algorithm>
#include <cstring>

#include "storage/format/volume.h"

namespace penstock {
namespace {

class NullDevice final : public VolumeDevice {
 public:
  const std::string& name() const override { return name_; }
  Result<> lock() override { return {}; }
  Result<> check_unused() override { return {}; }
  Result<> read_head(std::uint64_t offset, std::span<std::byte> into) override {
    std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return {};
  }
  Result<> write_head(std::uint64_t offset, std::span<const std::byte> from) override {
    std::ranges::copy(from, head_.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }
  void set_segment_bytes(std::uint64_t /*bytes*/) override {}
  Result<std::vector<SlotIndex>> list_slots() override { return std::vector<SlotIndex>{}; }
  Result<bool> make_slot(SlotIndex /*slot*/) override { return true; }
  Result<> remove_slot(SlotIndex /*slot*/) override { return {}; }
  Result<> read(SlotIndex /*slot*/, std::uint64_t /*offset*/, std::span<std::byte> into) override {
    std::ranges::fill(into, std::byte{0});
    return {};
  }
  Result<> write(SlotIndex /*slot*/, std::uint64_t /*offset*/,
                 std::span<const std::byte> /*from*/) override {
    return {};
  }
  Result<> sync(SlotIndex /*slot*/) override { return {}; }
  Result<SlotFile> open_slot(SlotIndex /*slot*/) override { return SlotFile{}; }
  void close_slot(const SlotFile& /*file*/) override {}
  Result<DeviceSpace> space() override { return DeviceSpace{1ULL << 50U, 1ULL << 50U}; }

 private:
  std::string name_ = "null";
  std::vector<std::byte> head_ = std::vector<std::byte>(kVolumeHeadBytes);
};

}  // namespace

std::unique_ptr<VolumeDevice> make_null_volume_device() { return std::make_unique<NullDevice>(); }

}  // namespace penstock
