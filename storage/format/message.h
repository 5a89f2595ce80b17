// A message as it lies in a run:
//
//   MessageHeader | subject | key | headers | payload | zero padding to 8 bytes
//
// A message whose subject_length is 0 has the subject of the message before it in the same run; the
// first message of a run always carries its own. Headers are (u16 name length, name, u32 value
// length, value) repeated.
#pragma once

#include <optional>

#include "storage/format/format.h"

namespace penstock {

// Marks that travel with a message from its front door to its reader.
enum class MessageFlag : std::uint16_t {
  kNone = 0,
  kMalformed = 1U << 0U,  // the front door could not parse it fully; the payload is as it came
  kTruncated = 1U << 1U,  // the sender's datagram was longer than what the door keeps
};

[[nodiscard]] constexpr MessageFlag operator|(MessageFlag a, MessageFlag b) {
  return static_cast<MessageFlag>(static_cast<std::uint16_t>(a) | static_cast<std::uint16_t>(b));
}
[[nodiscard]] constexpr bool has_flag(MessageFlag flags, MessageFlag one) {
  return (static_cast<std::uint16_t>(flags) & static_cast<std::uint16_t>(one)) != 0;
}

inline constexpr std::uint16_t kKnownMessageFlags = 0x3;

struct MessageHeader {
  std::uint32_t payload_length;
  std::uint32_t time_delta_ns;  // received, after the run's base time
  std::uint16_t subject_length;
  std::uint16_t key_length;
  std::uint16_t headers_length;
  MessageFlag flags;
};
static_assert(sizeof(MessageHeader) == 16);
static_assert(std::has_unique_object_representations_v<MessageHeader>);

inline constexpr std::size_t kSubjectBytesMax = 1024;
inline constexpr std::size_t kSubjectTokensMax = 32;

// Which message of which producer's session it is.
struct ProducerMessage {
  SessionNumber session;
  std::uint64_t sequence = 0;

  bool operator==(const ProducerMessage&) const = default;
};

// A message's parts, wherever they lie. Views: valid as long as the buffer they point into.
struct MessageView {
  std::string_view subject;
  UnixNanos received;
  std::span<const std::byte> key;
  std::span<const std::byte> headers;  // encoded as above
  std::span<const std::byte> payload;
  MessageFlag flags = MessageFlag::kNone;
  std::optional<ProducerMessage> producer = {};  // as read; who writes a message does not set it
};

// Bytes that a message takes in a run, padding included. `subject_length` 0: the subject is
// repeated.
[[nodiscard]] constexpr std::size_t message_bytes(std::size_t subject_length,
                                                  std::size_t key_length,
                                                  std::size_t headers_length,
                                                  std::size_t payload_length) {
  return align_up(
      sizeof(MessageHeader) + subject_length + key_length + headers_length + payload_length,
      static_cast<std::size_t>(kMessageAlign));
}

}  // namespace penstock
