// The slots of a volume that hold no segment: free ones, the one in the making, and those that
// failed and rest.
#pragma once

#include <optional>
#include <vector>

#include "base/clock.h"
#include "storage/volume/volume.h"

namespace penstock {

struct SlotLimits {
  std::uint64_t capacity_bytes = 0;  // of all slots of the volume; 0: as much as the device has
  std::uint64_t min_free_bytes = 0;  // left to others on the device
};

// One thread. Volume and clock outlive it.
class SlotSupply {
 public:
  // A slot or a number that failed is not tried again before this has passed.
  static constexpr std::int64_t kRestNs = 30 * kNanosPerSecond;

  SlotSupply(Volume& volume, const SlotLimits& limits, Clock& clock)
      : volume_(volume), limits_(limits), clock_(clock) {}

  // A slot that exists; one that holds nothing, or no longer, can be taken.
  void know(SlotIndex slot);
  void add_free(SlotIndex slot) { free_.push_back(slot); }

  // A free slot, or a new one. Nothing while that is being made, a piece a call. kNoSpace: there is
  // none to give; any other error: making one failed, and the next call tries another.
  [[nodiscard]] Result<std::optional<SlotIndex>> take();
  // A slot that was taken and failed.
  void rest(SlotIndex slot);
  // Gives the space of one free slot back to the device; false when there is none.
  [[nodiscard]] Result<bool> remove_free();

  [[nodiscard]] std::uint64_t slots() const { return slots_; }
  [[nodiscard]] std::uint64_t free_slots() const { return free_.size(); }
  [[nodiscard]] std::uint64_t resting_slots() const { return resting_.size(); }

 private:
  struct Resting {
    SlotIndex slot;
    bool exists;  // else only its number is not to be used
    MonotonicNanos until;
  };

  void wake();
  [[nodiscard]] Result<> check_room() const;
  [[nodiscard]] SlotIndex new_number();

  Volume& volume_;
  SlotLimits limits_;
  Clock& clock_;
  std::vector<SlotIndex> free_;
  std::vector<SlotIndex> numbers_;  // of slots that were removed: used again
  std::vector<Resting> resting_;
  std::optional<SlotIndex> making_;
  SlotIndex next_number_{0};
  std::uint64_t slots_ = 0;
};

}  // namespace penstock
