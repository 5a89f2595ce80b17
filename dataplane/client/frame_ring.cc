#include "dataplane/client/frame_ring.h"

#include <algorithm>

namespace penstock::client {

FrameRing::FrameRing(const FrameRingOptions& options)
    : options_(options),
      stride_(align_up(options.buffer_bytes, kCacheLineBytes)),
      reserved_(std::min(kPiecesReserved, kPiecesOfFrame * options.frames)),
      arena_(options.frames * stride_),
      opaques_(options.frames * options.messages_per_frame_max),
      users_(options.frames) {
  CHECK_GT(options.frames, 0U);
  CHECK_GE(options.buffer_bytes, pdp::kSmallFrameBytesMax);
  CHECK_LE(options.buffer_bytes, pdp::kFrameBytesMax);
  const std::size_t places = std::bit_ceil(options.frames + reserved_);
  order_.resize(places);
  entries_.resize(places);
  free_.reserve(options.frames);
  kept_.reserve(options.frames);
  free_entries_.reserve(places);
  for (std::size_t i = options.frames; i > 0; --i) free_.push_back(static_cast<BufferId>(i - 1));
  for (std::size_t i = places; i > 0; --i) free_entries_.push_back(static_cast<FrameId>(i - 1));
}

BufferId FrameRing::take_buffer() {
  if (free_.empty()) return kNone;
  const BufferId id = free_.back();
  free_.pop_back();
  CHECK_EQ(users_[id], 0);
  return id;
}

FrameId FrameRing::seal(BufferId buffer, std::uint32_t messages, std::size_t bytes,
                        MonotonicNanos queued) {
  CHECK(has_place());
  CHECK_GT(messages, 0U);
  CHECK_LE(pdp::kDataHeadBytes + bytes, options_.buffer_bytes);
  CHECK_LE(messages, kProducerSequenceEnd - end_sequence_);
  const FrameId id = free_entries_.back();
  free_entries_.pop_back();
  // Written in its place: a copy from the stack would read what was just written in pieces.
  FrameEntry& entry = entries_[id];
  entry = FrameEntry{};
  entry.sequence = end_sequence_;
  entry.messages = messages;
  entry.queued = queued;
  entry.buffer = buffer;
  entry.at = pdp::kDataHeadBytes;
  entry.bytes = static_cast<std::uint16_t>(bytes);
  users_[buffer] = 1;
  order_[(head_ + size_) & (order_.size() - 1)] = id;
  ++size_;
  end_sequence_ += messages;
  return id;
}

std::size_t FrameRing::place_behind(std::uint64_t sequence) const {
  std::size_t low = 0;
  std::size_t high = size_;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (entries_[id_at(middle)].end() > sequence) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

void FrameRing::release(FrameEntry& entry) {
  if (entry.buffer == kNone) return;
  CHECK_GT(users_[entry.buffer], 0);
  if (--users_[entry.buffer] == 0) (keeps_ ? kept_ : free_).push_back(entry.buffer);
  entry.buffer = kNone;
}

void FrameRing::free_kept() {
  keeps_ = false;
  free_.insert(free_.end(), kept_.begin(), kept_.end());
  kept_.clear();
}

void FrameRing::pop_front() {
  CHECK_GT(size_, 0U);
  const FrameId id = id_at(0);
  release(entries_[id]);
  free_entries_.push_back(id);
  ++head_;
  --size_;
}

void FrameRing::renumber(std::uint64_t sequence) { renumber_from(0, sequence); }

void FrameRing::renumber_from(std::size_t place, std::uint64_t sequence) {
  for (; place < size_; ++place) {
    FrameEntry& entry = entries_[id_at(place)];
    entry.sequence = sequence;
    sequence += entry.messages;
  }
  CHECK_LE(sequence, kProducerSequenceEnd);
  end_sequence_ = sequence;
}

void FrameRing::erase(std::size_t place, std::size_t frames) {
  if (frames == 0) return;
  CHECK_LE(place + frames, size_);
  const std::uint64_t sequence = entries_[id_at(place)].sequence;
  const std::size_t mask = order_.size() - 1;
  for (std::size_t i = place; i < place + frames; ++i) {
    FrameEntry& entry = entries_[id_at(i)];
    CHECK_EQ(entry.transmissions, 0);
    release(entry);
    free_entries_.push_back(id_at(i));
  }
  for (std::size_t i = place + frames; i < size_; ++i) {
    order_[(head_ + i - frames) & mask] = order_[(head_ + i) & mask];
  }
  size_ -= frames;
  renumber_from(place, sequence);
}

void FrameRing::give_up(FrameId id) {
  FrameEntry& entry = entries_[id];
  release(entry);
  entry.skip = true;
  entry.bytes = 0;
  entry.subject_bytes = 0;
}

}  // namespace penstock::client
