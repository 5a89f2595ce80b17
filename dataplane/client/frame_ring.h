// The frames of one session from their first message until they are done with, in the order of
// their sequences.
//
// Messages are appended to a buffer exactly as they go on the wire: room for the head of DATA, then
// the messages. A sealed buffer becomes a frame; a frame that turns out too long for its path is
// split into pieces that share the buffer; one whose messages were given up gives its buffer back
// and stays as what SKIP says.
//
// Invariants:
// - Each frame begins where the one before it ends: end_sequence() is behind the last.
// - A FrameId stays that of its frame until pop_front(); places in the order move with splits.
// - A buffer is free when no frame and no open batch uses it, and its bytes are not kept.
#pragma once

#include <optional>
#include <vector>

#include "base/check.h"
#include "dataplane/door/pdp/wire.h"

namespace penstock::client {

using FrameId = std::uint32_t;
using BufferId = std::uint32_t;
inline constexpr std::uint32_t kNone = ~std::uint32_t{0};

// A frame may be split into more pieces than the ring has places left; these are kept for it, of
// each frame so many, in all so many at most.
inline constexpr std::size_t kPiecesOfFrame = 16;
inline constexpr std::size_t kPiecesReserved = 256;

enum class FrameState : std::uint8_t {
  kQueued,    // never sent on this connection
  kInFlight,  // sent, nothing known of it
  kLost,      // to be sent again
  kReceived,  // by the node; not yet at the session's level
};

struct FrameEntry {
  std::uint64_t sequence = 0;  // of its first message
  std::uint32_t messages = 0;
  FrameState state = FrameState::kQueued;
  bool skip = false;                // its messages were given up and reported
  std::uint16_t transmissions = 0;  // up to 65,535
  MonotonicNanos queued;            // its newest message
  MonotonicNanos sent;              // the last time
  std::uint64_t transmission = 0;   // the number of that
  FrameId older = kNone;            // in the list of its state (frame_list.h)
  FrameId newer = kNone;
  BufferId buffer = kNone;
  std::uint32_t first_message = 0;  // of those in the buffer
  std::uint16_t at = 0;             // of the first message in the buffer
  std::uint16_t bytes = 0;          // of the messages there
  std::uint16_t subject_bytes = 0;  // more, for the subject that a piece's first message lacks

  [[nodiscard]] std::uint64_t end() const { return sequence + messages; }
  // Without a trailer.
  [[nodiscard]] std::size_t frame_bytes() const {
    return pdp::kDataHeadBytes + bytes + subject_bytes;
  }
};

struct FrameRingOptions {
  std::size_t frames = 4096;               // buffers
  std::size_t buffer_bytes = 1472;         // the longest frame
  std::size_t messages_per_frame_max = 0;  // numbers that are kept for a buffer; 0: none are
};

// One thread. Memory is taken by the constructor only.
class FrameRing {
 public:
  explicit FrameRing(const FrameRingOptions& options);

  // ---- Buffers -----------------------------------------------------------------------------
  [[nodiscard]] std::size_t free_buffers() const { return free_.size(); }
  [[nodiscard]] std::size_t buffer_bytes() const { return options_.buffer_bytes; }
  [[nodiscard]] BufferId take_buffer();  // kNone: there is none
  [[nodiscard]] std::span<std::byte> buffer(BufferId id) {
    return {arena_.data() + id * stride_, options_.buffer_bytes};
  }
  // From now on buffers that nothing uses any more keep their bytes, which are on their way out;
  // free_kept() gives them back.
  void keep_released() { keeps_ = true; }
  void free_kept();
  // The caller's numbers of the messages in a buffer; none if the ring keeps none.
  [[nodiscard]] std::span<std::uint64_t> opaques(BufferId id) {
    return {opaques_.data() + id * options_.messages_per_frame_max,
            options_.messages_per_frame_max};
  }

  // ---- Frames in order ---------------------------------------------------------------------
  // Whether seal() may be called.
  [[nodiscard]] bool has_place() const { return size_ + reserved_ < order_.size(); }
  // The messages behind the head, of so many bytes, become the last frame.
  FrameId seal(BufferId buffer, std::uint32_t messages, std::size_t bytes, MonotonicNanos queued);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] FrameId id_at(std::size_t place) const {
    return order_[(head_ + place) & (order_.size() - 1)];
  }
  [[nodiscard]] FrameEntry& operator[](FrameId id) { return entries_[id]; }
  [[nodiscard]] const FrameEntry& operator[](FrameId id) const { return entries_[id]; }
  [[nodiscard]] FrameEntry& front() { return entries_[id_at(0)]; }

  [[nodiscard]] std::uint64_t begin_sequence() const {
    return size_ == 0 ? end_sequence_ : entries_[id_at(0)].sequence;
  }
  [[nodiscard]] std::uint64_t end_sequence() const { return end_sequence_; }
  // The place of the first frame that ends behind `sequence`; size() if there is none.
  [[nodiscard]] std::size_t place_behind(std::uint64_t sequence) const;

  void pop_front();
  // The first frame begins at `sequence`, the others follow.
  void renumber(std::uint64_t sequence);
  // Frames that were never sent, nor those behind them, leave; those behind move down.
  void erase(std::size_t place, std::size_t frames);
  // The messages are given up: the frame is a SKIP from now on.
  void give_up(FrameId id);

  // ---- Pieces (frame_split.cc) -------------------------------------------------------------
  enum class Split : std::uint8_t {
    kNotNeeded,  // the frame has at most so many bytes
    kDone,       // its beginning has, the rest is the next frame, in the same state
    kTooLarge,   // likewise, but the beginning is a single message that is longer
    kNoPlace,    // until others are done with
  };
  // Splits the frame at that place into a beginning, which keeps its id, and the rest.
  [[nodiscard]] Split split(std::size_t place, std::size_t frame_bytes_max);
  // Splits it before the message of that sequence, one of its own. False: no place.
  [[nodiscard]] bool split_before(std::size_t place, std::uint64_t sequence);

  // Whether the frame can be sent as it lies in its buffer, with a trailer behind it or without.
  [[nodiscard]] bool lies_whole(FrameId id, bool has_trailer) const {
    const FrameEntry& entry = entries_[id];
    return !entry.skip && entry.at == pdp::kDataHeadBytes &&
           (!has_trailer || users_[entry.buffer] == 1);
  }
  // Writes the frame's messages as they go on the wire, the subject of the first one among them.
  // `messages` has as many bytes as frame_bytes() says, less the head.
  void compose(FrameId id, std::span<std::byte> messages);

 private:
  struct Cut {  // what a beginning takes of a frame
    std::uint32_t messages = 0;
    std::size_t bytes = 0;
  };
  void divide(std::size_t place, const Cut& cut);
  void release(FrameEntry& entry);
  void renumber_from(std::size_t place, std::uint64_t sequence);

  FrameRingOptions options_;
  std::size_t stride_;
  std::size_t reserved_;  // places for pieces
  std::vector<std::byte> arena_;
  std::vector<std::uint64_t> opaques_;
  std::vector<std::uint16_t> users_;  // frames of each buffer
  std::vector<BufferId> free_;        // a stack: what was used last is in the cache
  std::vector<BufferId> kept_;        // nothing uses them, but they are not free yet
  bool keeps_ = false;
  std::vector<FrameEntry> entries_;
  std::vector<FrameId> free_entries_;
  std::vector<FrameId> order_;  // a ring, a power of two
  std::size_t head_ = 0;
  std::size_t size_ = 0;
  std::uint64_t end_sequence_ = 0;
};

}  // namespace penstock::client
