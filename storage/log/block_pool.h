// The memory that messages are copied into and the drive reads from: all of a log's blocks, taken
// once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/units.h"
#include "storage/format/block.h"

namespace penstock {

// Index of a capture set registered with a log: the partitions that hold a message.
using CaptureSetId = Ordinal<struct CaptureSetIdTag, std::uint32_t>;

// Index of a producer's session that a log knows.
using ProducerIndex = Ordinal<struct ProducerIndexTag, std::uint32_t>;
inline constexpr ProducerIndex kNoProducer{~std::uint32_t{0}};

// Who brought a message, for the books: the number of its front door.
inline constexpr std::size_t kOriginsMax = 32;

struct MessageCount {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;  // payload
};

// A closed run within a block, as the books need it.
struct RunNote {
  CaptureSetId set;
  std::uint32_t messages = 0;
  std::uint32_t payload_bytes = 0;
  ProducerIndex producer = kNoProducer;
  // The session's sequence behind the run's last message; 0: it came late, and no mark waits for
  // it.
  std::uint64_t producer_end = 0;
};

// Runs that a block may hold: with more of them it is sealed early, so that the notes stay a small
// part of the block's memory.
inline constexpr std::size_t kBytesPerNote = 512;

// A block buffer and what is known of its contents.
struct Block {
  std::span<std::byte> bytes;  // the whole buffer, page-aligned
  BlockHeader header{};        // as far as known; stamped when the block gets its place
  std::uint32_t notes = 0;     // RunNotes used
  std::span<RunNote> run_notes;
  std::array<MessageCount, kOriginsMax> origins{};
  MessageCount total;
};

// One thread. `memory` is owned by the caller (hugepages where there are any) and outlives the
// pool.
class BlockPool {
 public:
  // As many blocks as fit. memory.data() page-aligned; block_bytes a multiple of kPageBytes.
  BlockPool(std::span<std::byte> memory, std::uint32_t block_bytes);
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // nullptr when all blocks are in use: the caller pushes back or drops, and counts.
  [[nodiscard]] Block* take();
  void give_back(Block* block);

  [[nodiscard]] std::size_t free_blocks() const { return free_.size(); }
  [[nodiscard]] std::size_t blocks() const { return blocks_.size(); }
  [[nodiscard]] std::span<std::byte> memory() const { return memory_; }

 private:
  std::span<std::byte> memory_;
  std::vector<RunNote> notes_;
  std::vector<Block> blocks_;
  std::vector<Block*> free_;
};

}  // namespace penstock
