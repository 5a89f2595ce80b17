#include "storage/format/run.h"

namespace penstock {
namespace {

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool are_known(std::uint16_t flags) {
  return flags == 0 || flags == kRunOfProducer || flags == (kRunOfProducer | kRunLate);
}

}  // namespace

RunReader::RunReader(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(RunHeader)) return;
  header_ = load<RunHeader>(bytes);
  const std::size_t head = run_head_bytes(header_.capture_count, header_.flags);
  if (header_.length % kMessageAlign != 0 || header_.length > bytes.size() ||
      header_.length < head || header_.message_count == 0 || header_.capture_count == 0 ||
      header_.capture_count > kCapturesMax || !are_known(header_.flags) || header_.reserved != 0) {
    return;
  }
  if ((header_.flags & kRunOfProducer) != 0) {
    producer_ = load<RunProducer>(bytes, sizeof(RunHeader));
    captures_at_ += sizeof(RunProducer);
    if (producer_->sequence > kProducerSequenceEnd - header_.message_count) return;
  }
  bytes_ = bytes.first(header_.length);
  at_ = head;
  ok_ = true;
}

Capture RunReader::capture(std::size_t i) const {
  return load<Capture>(bytes_, captures_at_ + i * sizeof(Capture));
}

std::optional<MessageView> RunReader::next() {
  if (!ok_) return std::nullopt;
  if (seen_ == header_.message_count) {
    ok_ = at_ == bytes_.size();
    return std::nullopt;
  }
  ok_ = false;
  const auto rest = bytes_.subspan(at_);
  if (rest.size() < sizeof(MessageHeader)) return std::nullopt;
  const auto header = load<MessageHeader>(rest);
  // 64-bit sums of 32-bit lengths cannot wrap.
  const std::uint64_t unpadded = sizeof(MessageHeader) + std::uint64_t{header.subject_length} +
                                 header.key_length + header.headers_length + header.payload_length;
  const std::uint64_t padded = align_up<std::uint64_t>(unpadded, kMessageAlign);
  std::int64_t received = 0;
  if (padded > rest.size() || header.subject_length > kSubjectBytesMax ||
      (static_cast<std::uint16_t>(header.flags) & ~kKnownMessageFlags) != 0 ||
      (seen_ == 0 && header.subject_length == 0) ||
      __builtin_add_overflow(header_.base_time_ns, header.time_delta_ns, &received)) {
    return std::nullopt;
  }
  for (std::size_t i = unpadded; i < padded; ++i) {
    if (rest[i] != std::byte{0}) return std::nullopt;
  }
  std::size_t at = sizeof(MessageHeader);
  if (header.subject_length != 0) subject_ = text(rest.subspan(at, header.subject_length));
  at += header.subject_length;
  MessageView message;
  message.subject = subject_;
  message.received = UnixNanos(received);
  message.key = rest.subspan(at, header.key_length);
  at += header.key_length;
  message.headers = rest.subspan(at, header.headers_length);
  at += header.headers_length;
  message.payload = rest.subspan(at, header.payload_length);
  message.flags = header.flags;
  if (producer_)
    message.producer = {SessionNumber(producer_->session), producer_->sequence + seen_};
  at_ += padded;
  ++seen_;
  ok_ = true;
  return message;
}

}  // namespace penstock
