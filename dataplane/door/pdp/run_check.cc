#include "dataplane/door/pdp/run_check.h"

#include <optional>

namespace penstock::pdp {
namespace {

// A message's header as two words: the walk looks at both in one compare.
struct HeaderWords {
  std::uint64_t payload_and_time;
  std::uint64_t others;  // lengths of subject, key and headers, flags
  bool operator==(const HeaderWords&) const = default;
};
static_assert(sizeof(HeaderWords) == sizeof(MessageHeader));

bool headers_are_well_formed(std::span<const std::byte> headers) {
  while (!headers.empty()) {
    std::uint16_t name_length = 0;
    if (headers.size() < sizeof name_length) return false;
    name_length = load<std::uint16_t>(headers);
    headers = headers.subspan(sizeof name_length);
    std::uint32_t value_length = 0;
    if (headers.size() < name_length + sizeof value_length) return false;
    value_length = load<std::uint32_t>(headers, name_length);
    headers = headers.subspan(name_length + sizeof value_length);
    if (headers.size() < value_length) return false;
    headers = headers.subspan(value_length);
  }
  return true;
}

// Bytes between header and payload.
std::size_t middle_bytes(const MessageHeader& header) {
  return std::size_t{header.subject_length} + header.key_length + header.headers_length;
}

// What else than a payload this message has. `rest` begins with the message.
std::optional<RunFault> check_middle(std::span<const std::byte> rest, const MessageHeader& header,
                                     bool is_first) {
  if (header.time_delta_ns != 0 || header.flags != MessageFlag::kNone) return RunFault::kBadField;
  const std::size_t subject_max = is_first ? kSubjectBytesMax : 0;
  if (header.subject_length > subject_max || (is_first && header.subject_length == 0)) {
    return RunFault::kBadSubject;
  }
  rest = rest.subspan(sizeof header);
  if (middle_bytes(header) > rest.size()) return RunFault::kBadLength;
  const auto headers =
      rest.subspan(std::size_t{header.subject_length} + header.key_length, header.headers_length);
  if (!headers_are_well_formed(headers)) return RunFault::kBadHeaders;
  return std::nullopt;
}

// What has to be zero of a message's last eight bytes, as a little-endian word, when `count` < 8
// bytes of padding end it.
std::uint64_t padding_mask(std::size_t count) { return ~(~std::uint64_t{0} >> 8U * count); }

}  // namespace

std::expected<CheckedRun, RunFault> check_run(std::span<const std::byte> messages,
                                              std::uint32_t message_count) {
  CheckedRun run;
  std::uint32_t seen = 0;
  for (std::size_t at = 0; at != messages.size();) {
    const std::size_t left = messages.size() - at;
    if (left < sizeof(MessageHeader)) return std::unexpected(RunFault::kBadLength);
    const auto words = load<HeaderWords>(messages, at);
    const std::size_t payload = static_cast<std::uint32_t>(words.payload_and_time);
    std::size_t unpadded = sizeof words + payload;
    const bool is_plain = words.payload_and_time == payload && words.others == 0 && seen != 0;
    if (!is_plain) {
      const auto header = std::bit_cast<MessageHeader>(words);
      const auto fault = check_middle(messages.subspan(at), header, seen == 0);
      if (fault) return std::unexpected(*fault);
      unpadded += middle_bytes(header);
      if (seen == 0) {
        run.subject = {reinterpret_cast<const char*>(messages.data()) + sizeof header,
                       header.subject_length};
      }
    }
    // 64-bit sums of 32-bit lengths cannot wrap.
    const std::size_t padded = align_up<std::size_t>(unpadded, kMessageAlign);
    const std::uint64_t padding = padding_mask(padded - unpadded);
    // This message, and those that follow it with the same header: where each of them ends is then
    // known without waiting for its length to be loaded.
    do {
      if (padded > messages.size() - at) return std::unexpected(RunFault::kBadLength);
      at += padded;
      const auto last_word = load<std::uint64_t>(messages, at - sizeof(std::uint64_t));
      if ((last_word & padding) != 0) return std::unexpected(RunFault::kBadPadding);
      run.payload_bytes += payload;
      ++seen;
    } while (is_plain && messages.size() - at >= sizeof words &&
             load<HeaderWords>(messages, at) == words);
  }
  if (seen == 0 || seen != message_count) return std::unexpected(RunFault::kBadCount);
  return run;
}

std::string_view name_of(RunFault fault) {
  switch (fault) {
    case RunFault::kBadLength: return "bad_length";
    case RunFault::kBadSubject: return "bad_subject";
    case RunFault::kBadField: return "bad_field";
    case RunFault::kBadHeaders: return "bad_headers";
    case RunFault::kBadPadding: return "bad_padding";
    case RunFault::kBadCount: return "bad_count";
  }
  return {};
}

}  // namespace penstock::pdp
