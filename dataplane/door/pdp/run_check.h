// The messages of a DATA frame as docs/pdp.md wants them: what passes can be copied behind a run's
// head as it is, and RunReader (storage/format/run.h) reads it there.
#pragma once

#include <expected>

#include "storage/format/message.h"

namespace penstock::pdp {

// Why they are no run; each is counted.
enum class RunFault : std::uint8_t {
  kBadLength,   // a message does not end where the frame says, or there is less than a header left
  kBadSubject,  // the first message has none or one too long, or another message has one
  kBadField,    // a time, or flags
  kBadHeaders,  // the encoded headers do not fill their length
  kBadPadding,  // bytes behind a message that are not zero
  kBadCount,    // more messages or fewer than the frame says
};
inline constexpr std::size_t kRunFaults = 6;

struct CheckedRun {
  std::string_view subject;         // of all messages; a view into the frame, of 1 to 1,024 bytes
  std::uint64_t payload_bytes = 0;  // without subject, keys, headers and padding
};

// In one walk. Whether the subject is one (is_valid_subject) is not looked at: that is known from
// its route.
[[nodiscard]] std::expected<CheckedRun, RunFault> check_run(std::span<const std::byte> messages,
                                                            std::uint32_t message_count);

[[nodiscard]] std::string_view name_of(RunFault fault);  // "bad_count"

}  // namespace penstock::pdp
