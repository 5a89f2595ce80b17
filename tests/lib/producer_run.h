// The messages of a producer's run, laid out as they come off the wire and lie on the drive.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/log/block_builder.h"

namespace penstock {

struct LaidOutMessages {
  std::vector<std::byte> bytes;
  std::uint32_t count = 0;
  std::uint64_t payload_bytes = 0;

  // Views are of this.
  [[nodiscard]] ProducerRun run(ProducerIndex producer, std::uint64_t sequence,
                                UnixNanos received) const {
    return {.producer = producer,
            .sequence = sequence,
            .message_count = count,
            .payload_bytes = payload_bytes,
            .received = received,
            .messages = bytes};
  }
};

// The first one carries the subject.
[[nodiscard]] inline LaidOutMessages lay_out(std::string_view subject,
                                             const std::vector<std::string>& payloads) {
  LaidOutMessages made;
  for (const std::string& payload : payloads) {
    const std::size_t at = made.bytes.size();
    made.bytes.resize(at + message_bytes(subject.size(), 0, 0, payload.size()));
    const MessageHeader header{.payload_length = static_cast<std::uint32_t>(payload.size()),
                               .time_delta_ns = 0,
                               .subject_length = static_cast<std::uint16_t>(subject.size()),
                               .key_length = 0,
                               .headers_length = 0,
                               .flags = MessageFlag::kNone};
    store(std::span(made.bytes), at, header);
    std::byte* const text = made.bytes.data() + at + sizeof header;
    std::copy_n(std::as_bytes(std::span(subject)).begin(), subject.size(), text);
    std::ranges::copy(std::as_bytes(std::span(payload)), text + subject.size());
    made.payload_bytes += payload.size();
    ++made.count;
    subject = {};
  }
  return made;
}

}  // namespace penstock
