#include "storage/log/block_pool.h"

#include "base/check.h"

namespace penstock {

BlockPool::BlockPool(std::span<std::byte> memory, std::uint32_t block_bytes) : memory_(memory) {
  CHECK_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % kPageBytes, 0U);
  CHECK_EQ(block_bytes % kPageBytes, 0U);
  const std::size_t count = memory.size() / block_bytes;
  const std::size_t notes = block_bytes / kBytesPerNote;
  CHECK_GT(count, 0U);
  notes_.resize(count * notes);
  blocks_.resize(count);
  free_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    blocks_[i].bytes = memory.subspan(i * block_bytes, block_bytes);
    blocks_[i].run_notes = std::span(notes_).subspan(i * notes, notes);
    free_.push_back(&blocks_[i]);
  }
}

Block* BlockPool::take() {
  if (free_.empty()) return nullptr;
  Block* block = free_.back();
  free_.pop_back();
  block->header = {};
  block->notes = 0;
  block->origins = {};
  block->total = {};
  return block;
}

void BlockPool::give_back(Block* block) {
  CHECK_LT(free_.size(), blocks_.size());
  free_.push_back(block);
}

}  // namespace penstock
