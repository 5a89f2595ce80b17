// Places of sessions in the order in which they were added, each once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock::pdp {

// One thread. Never full: it has room for every place.
class SlotQueue {
 public:
  explicit SlotQueue(std::size_t slots) : ring_(slots), listed_(slots) {}

  // Does nothing when the place is in it already.
  void push(std::uint32_t slot) {
    if (listed_[slot] != 0) return;
    listed_[slot] = 1;
    ring_[(begin_ + size_++) % ring_.size()] = slot;
  }
  [[nodiscard]] std::uint32_t pop() {
    const std::uint32_t slot = ring_[begin_];
    begin_ = (begin_ + 1) % ring_.size();
    --size_;
    listed_[slot] = 0;
    return slot;
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::vector<std::uint32_t> ring_;
  std::vector<std::uint8_t> listed_;  // by place
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
};

}  // namespace penstock::pdp
