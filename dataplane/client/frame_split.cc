// Frames that are longer than their path takes: what of a frame fits, and how a piece is written
// whose first message left its subject to the beginning of the buffer.
#include <algorithm>

#include "dataplane/client/frame_ring.h"

namespace penstock::client {
namespace {

MessageHeader header_at(std::span<const std::byte> buffer, std::size_t at) {
  return load<MessageHeader>(buffer, at);
}

std::size_t bytes_of(const MessageHeader& header) {
  return message_bytes(header.subject_length, header.key_length, header.headers_length,
                       header.payload_length);
}

// How much longer a message gets with the subject that stands at the buffer's beginning.
std::size_t subject_bytes(std::span<const std::byte> buffer, std::size_t at) {
  const MessageHeader header = header_at(buffer, at);
  if (header.subject_length != 0) return 0;
  const std::size_t with =
      message_bytes(header_at(buffer, pdp::kDataHeadBytes).subject_length, header.key_length,
                    header.headers_length, header.payload_length);
  return with - bytes_of(header);
}

}  // namespace

void FrameRing::divide(std::size_t place, const Cut& cut) {
  const FrameId id = id_at(place);
  FrameEntry& whole = entries_[id];
  CHECK_LT(cut.messages, whole.messages);
  const FrameId rest_id = free_entries_.back();
  free_entries_.pop_back();
  const std::size_t mask = order_.size() - 1;
  for (std::size_t i = size_; i > place + 1; --i) {
    order_[(head_ + i) & mask] = order_[(head_ + i - 1) & mask];
  }
  order_[(head_ + place + 1) & mask] = rest_id;
  ++size_;

  FrameEntry& rest = entries_[rest_id];
  rest = whole;
  rest.older = rest.newer = kNone;
  rest.sequence += cut.messages;
  rest.messages -= cut.messages;
  whole.messages = cut.messages;
  if (whole.skip) return;
  rest.first_message += cut.messages;
  rest.at = static_cast<std::uint16_t>(whole.at + cut.bytes);
  rest.bytes = static_cast<std::uint16_t>(whole.bytes - cut.bytes);
  rest.subject_bytes = static_cast<std::uint16_t>(subject_bytes(buffer(rest.buffer), rest.at));
  whole.bytes = static_cast<std::uint16_t>(cut.bytes);
  ++users_[whole.buffer];
}

FrameRing::Split FrameRing::split(std::size_t place, std::size_t frame_bytes_max) {
  const FrameEntry& entry = entries_[id_at(place)];
  if (entry.frame_bytes() <= frame_bytes_max) return Split::kNotNeeded;
  CHECK(!entry.skip);
  const std::size_t room =
      frame_bytes_max - std::min(frame_bytes_max, pdp::kDataHeadBytes + entry.subject_bytes);
  const auto bytes = buffer(entry.buffer);
  Cut cut;
  while (cut.messages < entry.messages) {
    const std::size_t next = bytes_of(header_at(bytes, entry.at + cut.bytes));
    if (cut.bytes + next > room) break;
    cut.bytes += next;
    ++cut.messages;
  }
  const bool too_large = cut.messages == 0;
  if (too_large) {
    if (entry.messages == 1) return Split::kTooLarge;
    cut = {.messages = 1, .bytes = bytes_of(header_at(bytes, entry.at))};
  }
  if (free_entries_.empty()) return Split::kNoPlace;
  divide(place, cut);
  return too_large ? Split::kTooLarge : Split::kDone;
}

bool FrameRing::split_before(std::size_t place, std::uint64_t sequence) {
  const FrameEntry& entry = entries_[id_at(place)];
  CHECK_LT(entry.sequence, sequence);
  CHECK_LT(sequence, entry.end());
  if (free_entries_.empty()) return false;
  Cut cut{.messages = static_cast<std::uint32_t>(sequence - entry.sequence)};
  if (!entry.skip) {
    const auto bytes = buffer(entry.buffer);
    for (std::uint32_t i = 0; i < cut.messages; ++i) {
      cut.bytes += bytes_of(header_at(bytes, entry.at + cut.bytes));
    }
  }
  divide(place, cut);
  return true;
}

void FrameRing::compose(FrameId id, std::span<std::byte> messages) {
  const FrameEntry& entry = entries_[id];
  CHECK(!entry.skip);
  CHECK_EQ(messages.size(), std::size_t{entry.bytes} + entry.subject_bytes);
  const std::span<const std::byte> bytes = buffer(entry.buffer);
  MessageHeader header = header_at(bytes, entry.at);
  if (header.subject_length != 0) {
    std::ranges::copy(bytes.subspan(entry.at, entry.bytes), messages.begin());
    return;
  }
  const std::size_t first_bytes = bytes_of(header);
  const std::size_t content =
      std::size_t{header.key_length} + header.headers_length + header.payload_length;
  const auto subject = bytes.subspan(pdp::kDataHeadBytes + sizeof header,
                                     header_at(bytes, pdp::kDataHeadBytes).subject_length);
  header.subject_length = static_cast<std::uint16_t>(subject.size());
  store(messages, 0, header);
  auto out = messages.subspan(sizeof header);
  std::ranges::copy(subject, out.begin());
  out = out.subspan(subject.size());
  std::ranges::copy(bytes.subspan(entry.at + sizeof header, content), out.begin());
  const std::size_t padding =
      first_bytes + entry.subject_bytes - sizeof header - subject.size() - content;
  out = out.subspan(content);
  std::ranges::fill(out.first(padding), std::byte{0});
  std::ranges::copy(bytes.subspan(entry.at + first_bytes, entry.bytes - first_bytes),
                    out.subspan(padding).begin());
}

}  // namespace penstock::client
