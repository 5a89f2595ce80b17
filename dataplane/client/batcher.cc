#include "dataplane/client/batcher.h"

#include <algorithm>

namespace penstock::client {
namespace {

constexpr std::size_t kShortBytesMax = 0xFFFF;

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = text.size();
  while (!text.empty()) {
    std::uint64_t word = 0;
    const std::size_t taken = std::min(text.size(), sizeof word);
    std::memcpy(&word, text.data(), taken);
    hash = (hash ^ word) * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 32U;
    text.remove_prefix(taken);
  }
  return hash;
}

std::byte* copy(std::byte* to, const void* from, std::size_t bytes) {
  if (bytes != 0) std::memcpy(to, from, bytes);
  return to + bytes;
}

std::size_t bytes_of(const OutgoingMessage& message, bool with_subject) {
  return message_bytes(with_subject ? message.subject.size() : 0, message.key.size(),
                       message.headers.size(), message.payload.size());
}

}  // namespace

Batcher::Batcher(FrameRing& ring, const BatcherOptions& options)
    : ring_(ring), options_(options), oldest_opened_(kNever) {
  CHECK_GT(options.subjects_max, 0U);
  CHECK_GT(options.messages_per_frame_max, 0U);
  open_.reserve(options.subjects_max);
}

bool Batcher::is_of(const Batch& batch, std::string_view subject) const {
  return batch.subject_bytes == subject.size() &&
         std::memcmp(
             ring_.buffer(batch.buffer).data() + pdp::kDataHeadBytes + sizeof(MessageHeader),
             subject.data(), subject.size()) == 0;
}

Batcher::Batch* Batcher::find(std::string_view subject) {
  if (last_used_ < open_.size() && is_of(open_[last_used_], subject)) return &open_[last_used_];
  const std::uint64_t hash = hash_of(subject);
  for (std::size_t i = 0; i < open_.size(); ++i) {
    if (open_[i].subject_hash == hash && is_of(open_[i], subject)) {
      last_used_ = i;
      return &open_[i];
    }
  }
  return nullptr;
}

bool Batcher::takes(const Batch& batch, const OutgoingMessage& message, std::size_t frame_bytes_max,
                    MonotonicNanos queued) const {
  return batch.messages < options_.messages_per_frame_max &&
         batch.bytes + bytes_of(message, false) <= frame_bytes_max &&
         queued - batch.opened <= options_.span_max_ns;
}

Batcher::Batch* Batcher::open(std::string_view subject, MonotonicNanos queued) {
  if (open_.size() == options_.subjects_max) {
    if (!ring_.has_place()) return nullptr;
    const auto oldest = std::ranges::min_element(open_, {}, &Batch::opened);
    seal(static_cast<std::size_t>(oldest - open_.begin()));
  }
  const BufferId buffer = ring_.take_buffer();
  if (buffer == kNone) return nullptr;
  open_.push_back({.subject_hash = hash_of(subject),
                   .buffer = buffer,
                   .messages = 0,
                   .bytes = pdp::kDataHeadBytes,
                   .subject_bytes = static_cast<std::uint32_t>(subject.size()),
                   .opened = queued,
                   .newest = queued});
  last_used_ = open_.size() - 1;
  oldest_opened_ = std::min(oldest_opened_, queued);
  return &open_.back();
}

Appended Batcher::append(const OutgoingMessage& message, std::uint64_t opaque,
                         std::size_t frame_bytes_max, MonotonicNanos queued) {
  if (message.subject.empty() || message.subject.size() > kSubjectBytesMax ||
      message.key.size() > kShortBytesMax || message.headers.size() > kShortBytesMax) {
    return Appended::kBadField;
  }
  frame_bytes_max = std::min(frame_bytes_max, ring_.buffer_bytes());
  if (pdp::kDataHeadBytes + bytes_of(message, true) > frame_bytes_max) return Appended::kTooLarge;
  Batch* batch = find(message.subject);
  if (batch != nullptr) {
    if (takes(*batch, message, frame_bytes_max, queued)) {
      batch->newest = std::max(batch->newest, queued);
      put(*batch, message, opaque, false);
      return Appended::kDone;
    }
    if (!ring_.has_place()) return Appended::kFull;
    seal(static_cast<std::size_t>(batch - open_.data()));
  }
  batch = open(message.subject, queued);
  if (batch == nullptr) return Appended::kFull;
  put(*batch, message, opaque, true);
  return Appended::kDone;
}

void Batcher::put(Batch& batch, const OutgoingMessage& message, std::uint64_t opaque,
                  bool with_subject) {
  const std::size_t bytes = bytes_of(message, with_subject);
  const std::size_t subject_bytes = with_subject ? message.subject.size() : 0;
  const std::span<std::byte> out = ring_.buffer(batch.buffer).subspan(batch.bytes, bytes);
  // The padding is in the last word; what is not padding is written over.
  store(out, bytes - sizeof(std::uint64_t), std::uint64_t{0});
  store(out, 0,
        MessageHeader{.payload_length = static_cast<std::uint32_t>(message.payload.size()),
                      .time_delta_ns = 0,
                      .subject_length = static_cast<std::uint16_t>(subject_bytes),
                      .key_length = static_cast<std::uint16_t>(message.key.size()),
                      .headers_length = static_cast<std::uint16_t>(message.headers.size()),
                      .flags = MessageFlag::kNone});
  std::byte* to = out.data() + sizeof(MessageHeader);
  to = copy(to, message.subject.data(), subject_bytes);
  to = copy(to, message.key.data(), message.key.size());
  to = copy(to, message.headers.data(), message.headers.size());
  copy(to, message.payload.data(), message.payload.size());
  const auto opaques = ring_.opaques(batch.buffer);
  if (!opaques.empty()) opaques[batch.messages] = opaque;
  batch.bytes += static_cast<std::uint32_t>(bytes);
  ++batch.messages;
  ++messages_;
  if (batch.messages == options_.messages_per_frame_max && ring_.has_place()) {
    seal(static_cast<std::size_t>(&batch - open_.data()));
  }
}

void Batcher::seal(std::size_t index) {
  const Batch batch = open_[index];
  ring_.seal(batch.buffer, batch.messages, batch.bytes - pdp::kDataHeadBytes, batch.newest);
  messages_ -= batch.messages;
  open_[index] = open_.back();
  open_.pop_back();
  if (batch.opened <= oldest_opened_) find_oldest();
}

void Batcher::find_oldest() {
  oldest_opened_ = kNever;
  for (const Batch& batch : open_) oldest_opened_ = std::min(oldest_opened_, batch.opened);
}

void Batcher::seal_opened_until(MonotonicNanos time) {
  while (oldest_opened_ <= time && !open_.empty() && ring_.has_place()) {
    const auto oldest = std::ranges::min_element(open_, {}, &Batch::opened);
    seal(static_cast<std::size_t>(oldest - open_.begin()));
  }
}

}  // namespace penstock::client
