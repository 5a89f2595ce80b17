// The memory of frames that came before their turn: cells of fixed size, taken once, shared by all
// sessions of a shard.
#pragma once

#include <vector>

#include "dataplane/door/pdp/node/session.h"
#include "storage/log/block_pool.h"

namespace penstock::pdp {

// A data frame whose messages were checked and routed, or the sequences that a SKIP names.
struct HeldFrame {
  std::uint64_t sequence = 0;
  std::uint32_t message_count = 0;
  std::uint32_t frame_bytes = 0;  // of the UDP payload, for the books
  bool skip = false;
  CaptureSetId set{0};
  std::uint64_t payload_bytes = 0;
  UnixNanos received{0};
  std::span<const std::byte> messages;

  [[nodiscard]] std::uint64_t end() const { return sequence + message_count; }
};

// One thread. All memory is taken by the constructor.
class HoldPool {
 public:
  static constexpr std::size_t kFramesPerSessionMax = 1024;

  explicit HoldPool(std::size_t bytes);

  enum class Held : std::uint8_t { kYes, kDuplicate, kOverlap, kNoRoom };
  // Copies the frame into the list at its place.
  [[nodiscard]] Held hold(HeldList& list, const HeldFrame& frame);
  // The first frame of the list, which is not empty; its messages are valid until the next call.
  [[nodiscard]] HeldFrame front(const HeldList& list);
  void pop_front(HeldList& list);
  void clear(HeldList& list);

  // The ranges of sequences in the list, neighbours made one; returns how many were filled in.
  [[nodiscard]] std::size_t ranges(const HeldList& list, std::span<AckRange> into) const;

 private:
  static constexpr std::uint32_t kNone = HeldList::kNone;
  static constexpr std::size_t kCellBytes = 1408;
  using Cell = std::array<std::byte, kCellBytes>;
  // Of a cell, in a line of memory of its own and apart from it: a list is walked for each frame
  // and each ACK, and should not pass by the cells.
  struct alignas(64) Head {
    std::uint32_t next_frame = kNone;  // in the session's list; of a frame's first cell
    std::uint32_t next_cell = kNone;   // of the same frame, or of the free list
    HeldFrame frame;                   // without messages; of a frame's first cell
  };
  static_assert(sizeof(Head) == 64);
  [[nodiscard]] std::uint32_t take_cell();
  [[nodiscard]] std::uint32_t store(const HeldFrame& frame);
  void free_frame(std::uint32_t first);
  // The frame in front of which none in the list has a sequence over the given one: kNone for the
  // list's beginning.
  [[nodiscard]] std::uint32_t predecessor(const HeldList& list, std::uint64_t sequence) const;

  std::vector<Cell> cells_;
  std::vector<Head> heads_;  // of each cell
  std::uint32_t free_ = kNone;
  std::size_t free_cells_ = 0;
  std::vector<std::byte> gathered_;
};

}  // namespace penstock::pdp
