#include "storage/volume/device_sim.h"

#include <algorithm>

#include "base/check.h"
#include "storage/format/volume.h"

namespace penstock {
namespace {

constexpr int kHead = 0;

int file_of(SlotIndex slot) { return static_cast<int>(slot.value) + 1; }

class SimDevice final : public VolumeDevice {
 public:
  SimDevice(SimDrive& drive, DeviceAccess access) : drive_(drive), access_(access) {}

  const std::string& name() const override { return name_; }
  Result<> lock() override { return {}; }
  Result<> check_unused() override { return {}; }
  Result<> read_head(std::uint64_t offset, std::span<std::byte> into) override {
    if (!drive_.exists(kHead)) {
      std::ranges::fill(into, std::byte{0});
      return {};
    }
    return drive_.read(kHead, offset, into);
  }
  Result<> write_head(std::uint64_t offset, std::span<const std::byte> from) override {
    CHECK(writable());
    if (!drive_.exists(kHead)) {
      if (auto made = drive_.create(kHead, kVolumeHeadBytes); !made) return made;
    }
    return drive_.write(kHead, offset, from);
  }
  void set_segment_bytes(std::uint64_t bytes) override { segment_bytes_ = bytes; }
  Result<std::vector<SlotIndex>> list_slots() override {
    std::vector<SlotIndex> slots;
    for (const int file : drive_.files()) {
      if (file != kHead) slots.emplace_back(static_cast<std::uint32_t>(file - 1));
    }
    return slots;
  }
  Result<bool> make_slot(SlotIndex slot) override {
    CHECK(writable());
    auto made = drive_.create(file_of(slot), segment_bytes_);
    if (!made) return std::unexpected(std::move(made.error()));
    return true;
  }
  Result<> remove_slot(SlotIndex slot) override {
    CHECK(writable());
    return drive_.remove(file_of(slot));
  }
  Result<> read(SlotIndex slot, std::uint64_t offset, std::span<std::byte> into) override {
    return drive_.read(file_of(slot), offset, into);
  }
  Result<> write(SlotIndex slot, std::uint64_t offset, std::span<const std::byte> from) override {
    CHECK(writable());
    return drive_.write(file_of(slot), offset, from);
  }
  Result<> sync(SlotIndex slot) override {
    return writable() ? drive_.sync(file_of(slot)) : Result<>{};
  }
  Result<SlotFile> open_slot(SlotIndex slot) override {
    if (!drive_.exists(file_of(slot))) return fail(Errc::kNotFound, "no such slot");
    open_.push_back(file_of(slot));
    return SlotFile{file_of(slot), 0};
  }
  void close_slot(const SlotFile& file) override {
    const auto open = std::ranges::find(open_, file.fd);
    CHECK(open != open_.end());
    open_.erase(open);
  }
  Result<DeviceSpace> space() override {
    return DeviceSpace{drive_.free_bytes(), drive_.total_bytes()};
  }

 private:
  [[nodiscard]] bool writable() const { return access_ == DeviceAccess::kReadWrite; }

  SimDrive& drive_;
  DeviceAccess access_;
  std::string name_ = "simulated";
  std::uint64_t segment_bytes_ = 0;
  std::vector<int> open_;
};

}  // namespace

std::unique_ptr<VolumeDevice> make_sim_device(SimDrive& drive, DeviceAccess access) {
  return std::make_unique<SimDevice>(drive, access);
}

}  // namespace penstock
