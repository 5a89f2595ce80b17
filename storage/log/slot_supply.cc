#include "storage/log/slot_supply.h"

#include <algorithm>

#include <fmt/format.h>

namespace penstock {

void SlotSupply::know(SlotIndex slot) {
  ++slots_;
  next_number_ = std::max(next_number_, SlotIndex(slot.value + 1));
}

Result<std::optional<SlotIndex>> SlotSupply::take() {
  wake();
  if (!free_.empty()) {
    const SlotIndex slot = free_.back();
    free_.pop_back();
    return slot;
  }
  if (!making_) {
    if (auto room = check_room(); !room) return std::unexpected(std::move(room.error()));
    making_ = new_number();
  }
  const SlotIndex slot = *making_;
  const auto made = volume_.device().make_slot(slot);
  if (made && !*made) return std::nullopt;
  making_.reset();
  if (made) {
    know(slot);
    return slot;
  }
  // A full drive says nothing against the number.
  if (made.error().code == Errc::kNoSpace) {
    numbers_.push_back(slot);
  } else {
    resting_.push_back({slot, false, clock_.monotonic_now() + kRestNs});
  }
  return std::unexpected(made.error());
}

void SlotSupply::rest(SlotIndex slot) {
  resting_.push_back({slot, true, clock_.monotonic_now() + kRestNs});
}

void SlotSupply::wake() {
  const MonotonicNanos now = clock_.monotonic_now();
  std::erase_if(resting_, [&](const Resting& resting) {
    if (now < resting.until) return false;
    (resting.exists ? free_ : numbers_).push_back(resting.slot);
    return true;
  });
}

Result<> SlotSupply::check_room() const {
  const std::uint64_t bytes = volume_.superblock().segment_bytes;
  const std::string& name = volume_.device().name();
  if (limits_.capacity_bytes != 0 && (slots_ + 1) * bytes > limits_.capacity_bytes) {
    return fail(Errc::kNoSpace, fmt::format("volume {}: its capacity of {} MiB is used up", name,
                                            limits_.capacity_bytes / kMiB));
  }
  auto space = volume_.device().space();
  if (!space) return std::unexpected(std::move(space.error()));
  if (space->free_bytes < bytes + limits_.min_free_bytes) {
    return fail(Errc::kNoSpace, fmt::format("volume {}: {} MiB are free, a segment takes {}", name,
                                            space->free_bytes / kMiB, bytes / kMiB));
  }
  return {};
}

SlotIndex SlotSupply::new_number() {
  if (numbers_.empty()) {
    const SlotIndex number = next_number_;
    ++next_number_;
    return number;
  }
  const SlotIndex number = numbers_.back();
  numbers_.pop_back();
  return number;
}

Result<bool> SlotSupply::remove_free() {
  if (free_.empty()) return false;
  const SlotIndex slot = free_.back();
  if (auto removed = volume_.device().remove_slot(slot); !removed) {
    free_.pop_back();
    rest(slot);
    return std::unexpected(std::move(removed.error()));
  }
  free_.pop_back();
  numbers_.push_back(slot);
  --slots_;
  return true;
}

}  // namespace penstock
