#include "storage/recover/torn_tail.h"

#include <algorithm>

namespace penstock {
namespace {

// A block without its first page is none.
Result<> clear(VolumeDevice& device, const LogStart::OpenSegment& open) {
  const PageBuffer blank = allocate_pages(kPageBytes);
  const std::span<std::byte> page(blank.get(), kPageBytes);
  std::ranges::fill(page, std::byte{0});
  const SlotIndex slot(open.header.slot);
  for (const std::uint32_t position : open.left_behind) {
    auto done = device.write(slot, std::uint64_t{position} * kPageBytes, page);
    if (!done) return done;
  }
  return device.sync(slot);
}

}  // namespace

void clear_torn_tails(Volume& volume, RecoveredVolume& recovered) {
  for (auto& [number, log] : recovered.logs) {
    auto& open = log.start.open;
    if (!open || open->left_behind.empty()) continue;
    if (clear(volume.device(), *open)) {
      open->left_behind.clear();
    } else {
      open.reset();
    }
  }
}

}  // namespace penstock
