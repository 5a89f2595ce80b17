#include "dataplane/client/batcher.h"

#include <algorithm>

namespace penstock::client {
namespace {

constexpr std::size_t kShortBytesMax = 0xFFFF;

// Of subjects that are alike, most differ in their ends.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (text.size() >= sizeof first) {
    std::memcpy(&first, text.data(), sizeof first);
    std::memcpy(&last, text.data() + text.size() - sizeof last, sizeof last);
  } else {
    for (const char one : text) first = first << 8U | static_cast<unsigned char>(one);
  }
  return (first * 0x9E3779B97F4A7C15ULL ^ last) + text.size();
}

std::byte* copy(std::byte* to, std::span<const std::byte> from) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
  return to + from.size();
}

// A call costs more than to copy what is short.
void copy_inline(std::byte* to, std::span<const std::byte> from) {
  constexpr std::size_t kStep = 32;
  constexpr std::size_t kStepsMax = 8;
  if (from.size() < kStep || from.size() > kStepsMax * kStep) return void(copy(to, from));
  const std::size_t last = from.size() - kStep;
  for (std::size_t at = 0; at < last; at += kStep) std::memcpy(to + at, from.data() + at, kStep);
  std::memcpy(to + last, from.data() + last, kStep);
}

// The message's header, and zeros where padding may be.
void write_head(std::span<std::byte> out, const OutgoingMessage& message,
                std::size_t subject_bytes) {
  // The padding is in the last word; what is not padding is written over.
  store(out, out.size() - sizeof(std::uint64_t), std::uint64_t{0});
  store(out, 0,
        MessageHeader{.payload_length = static_cast<std::uint32_t>(message.payload.size()),
                      .time_delta_ns = 0,
                      .subject_length = static_cast<std::uint16_t>(subject_bytes),
                      .key_length = static_cast<std::uint16_t>(message.key.size()),
                      .headers_length = static_cast<std::uint16_t>(message.headers.size()),
                      .flags = MessageFlag::kNone});
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
  if (open_.empty()) return nullptr;
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
  Batch& batch = open_.emplace_back();
  batch.subject_hash = hash_of(subject);
  batch.buffer = buffer;
  batch.bytes = pdp::kDataHeadBytes;
  batch.subject_bytes = static_cast<std::uint32_t>(subject.size());
  batch.opened = batch.newest = queued;
  last_used_ = open_.size() - 1;
  oldest_opened_ = std::min(oldest_opened_, queued);
  return &batch;
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
  write_head(out, message, subject_bytes);
  std::byte* to = out.data() + sizeof(MessageHeader);
  to = copy(to, std::as_bytes(std::span(message.subject)).first(subject_bytes));
  to = copy(to, message.key);
  to = copy(to, message.headers);
  copy(to, message.payload);
  const auto opaques = ring_.opaques(batch.buffer);
  if (!opaques.empty()) opaques[batch.messages] = opaque;
  took(batch, bytes, 1);
}

void Batcher::took(Batch& batch, std::size_t bytes, std::size_t messages) {
  batch.bytes += static_cast<std::uint32_t>(bytes);
  batch.messages += static_cast<std::uint32_t>(messages);
  messages_ += messages;
  if (batch.messages == options_.messages_per_frame_max && ring_.has_place()) {
    seal(static_cast<std::size_t>(&batch - open_.data()));
  }
}

AppendedAll Batcher::append_all(std::string_view subject, std::span<const PlainMessage> messages,
                                std::size_t frame_bytes_max, MonotonicNanos queued) {
  std::size_t count = 0;
  while (count < messages.size()) {
    // The first one opens a frame, seals one, fails; those that fit behind it cannot fail.
    const PlainMessage& first = messages[count];
    const Appended outcome = append({.subject = subject, .payload = first.payload}, first.opaque,
                                    frame_bytes_max, queued);
    if (outcome != Appended::kDone) return {.count = count, .outcome = outcome};
    ++count;
    Batch* batch = find(subject);
    if (batch != nullptr) count += fill(*batch, messages.subspan(count), frame_bytes_max);
  }
  return {.count = count};
}

// Returns how many messages fit.
std::size_t Batcher::fill(Batch& batch, std::span<const PlainMessage> messages,
                          std::size_t frame_bytes_max) {
  const std::span<std::byte> frame = ring_.buffer(batch.buffer);
  const std::size_t end = std::min(frame_bytes_max, frame.size());
  const auto opaques = ring_.opaques(batch.buffer);
  messages = messages.first(
      std::min<std::size_t>(messages.size(), options_.messages_per_frame_max - batch.messages));
  std::size_t count = 0;
  std::size_t at = batch.bytes;
  for (const auto& [payload, opaque] : messages) {
    const std::size_t bytes = message_bytes(0, 0, 0, payload.size());
    if (at + bytes > end) break;
    write_head(frame.subspan(at, bytes), {.payload = payload}, 0);
    copy_inline(frame.data() + at + sizeof(MessageHeader), payload);
    if (!opaques.empty()) opaques[batch.messages + count] = opaque;
    at += bytes;
    ++count;
  }
  if (count != 0) took(batch, at - batch.bytes, count);
  return count;
}

void Batcher::seal(std::size_t index) {
  const Batch& batch = open_[index];
  ring_.seal(batch.buffer, batch.messages, batch.bytes - pdp::kDataHeadBytes, batch.newest);
  messages_ -= batch.messages;
  const bool was_oldest = batch.opened <= oldest_opened_;
  if (index + 1 != open_.size()) open_[index] = open_.back();
  open_.pop_back();
  if (was_oldest) find_oldest();
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
