// The image of a raw block device in memory, with a volume on it to be read.
#pragma once

#include <string>
#include <vector>

#include "storage/format/segment.h"
#include "storage/format/volume.h"
#include "storage/volume/volume_device.h"

namespace penstock {

// The image outlives it.
class FlatImage final : public VolumeDevice {
 public:
  explicit FlatImage(std::span<const std::byte> image) : image_(image) {}

  const std::string& name() const override { return name_; }
  Result<> lock() override { return {}; }
  Result<> check_unused() override { return {}; }
  Result<> read_head(std::uint64_t offset, std::span<std::byte> into) override {
    return read_at(offset, into);
  }
  Result<> write_head(std::uint64_t, std::span<const std::byte>) override { return refuse(); }
  void set_segment_bytes(std::uint64_t bytes) override { segment_bytes_ = bytes; }
  // A slot exists if its first page is not blank.
  Result<std::vector<SlotIndex>> list_slots() override {
    std::vector<SlotIndex> slots;
    for (std::uint32_t i = 0; begin_of(SlotIndex(i)) + segment_bytes_ <= image_.size(); ++i) {
      if (!all_zero(image_.subspan(begin_of(SlotIndex(i)), kPageBytes))) slots.emplace_back(i);
    }
    return slots;
  }
  Result<bool> make_slot(SlotIndex) override { return std::unexpected(refuse().error()); }
  Result<> remove_slot(SlotIndex) override { return refuse(); }
  Result<> read(SlotIndex slot, std::uint64_t offset, std::span<std::byte> into) override {
    return read_at(begin_of(slot) + offset, into);
  }
  Result<> write(SlotIndex, std::uint64_t, std::span<const std::byte>) override { return refuse(); }
  Result<> sync(SlotIndex) override { return {}; }
  Result<SlotFile> open_slot(SlotIndex) override { return std::unexpected(refuse().error()); }
  void close_slot(const SlotFile&) override {}
  Result<DeviceSpace> space() override { return DeviceSpace{0, image_.size()}; }
  std::uint64_t fixed_bytes() const override { return image_.size(); }

 private:
  static Result<> refuse() { return fail(Errc::kPermissionDenied, "an image is not written to"); }
  [[nodiscard]] std::uint64_t begin_of(SlotIndex slot) const {
    return kVolumeHeadBytes + slot.value * segment_bytes_;
  }
  Result<> read_at(std::uint64_t offset, std::span<std::byte> into) {
    if (offset + into.size() > image_.size()) return fail(Errc::kCorrupt, "it ends there");
    std::memcpy(into.data(), image_.data() + offset, into.size());
    return {};
  }

  std::span<const std::byte> image_;
  std::string name_ = "image";
  std::uint64_t segment_bytes_ = kSegmentBytesMin;
};

}  // namespace penstock
