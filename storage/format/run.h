// A run: consecutive messages of one capture set, laid out once.
//
//   RunHeader | RunProducer, if flags say so | Capture * capture_count | message * message_count
//
// The n-th message of the run has offset base_offset + n in every partition that the run names, and
// with a RunProducer it is message sequence + n of that session.
#pragma once

#include "storage/format/message.h"

namespace penstock {

struct RunHeader {
  std::uint32_t length;  // bytes of the run, this header included; a multiple of 8
  std::uint32_t message_count;
  std::int64_t base_time_ns;  // received time of the earliest message (UnixNanos)
  std::uint16_t capture_count;
  std::uint16_t flags;     // kRunOfProducer, kRunLate
  std::uint32_t reserved;  // zero
};
static_assert(sizeof(RunHeader) == 24);
static_assert(std::has_unique_object_representations_v<RunHeader>);

// A RunProducer follows the header.
inline constexpr std::uint16_t kRunOfProducer = 0x1;
// With it: the run came after others of its session that stand behind it in their order, so it does
// not say where the session goes on. No other bit is known.
inline constexpr std::uint16_t kRunLate = 0x2;

// Whose messages they are.
struct RunProducer {
  std::uint64_t session;   // SessionNumber
  std::uint64_t sequence;  // of the run's first message in that session
};
static_assert(sizeof(RunProducer) == 16);
static_assert(std::has_unique_object_representations_v<RunProducer>);

// No message of a session has this number or a higher one.
inline constexpr std::uint64_t kProducerSequenceEnd = std::uint64_t{1} << 62U;

// One partition that holds the run's messages: the stream's part in this log.
struct Capture {
  std::uint64_t stream;       // StreamId
  std::uint64_t base_offset;  // Offset of the run's first message in that partition
};
static_assert(sizeof(Capture) == 16);
static_assert(std::has_unique_object_representations_v<Capture>);

inline constexpr std::size_t kCapturesMax = 32;

// What stands in front of a run's messages.
[[nodiscard]] constexpr std::size_t run_head_bytes(std::size_t capture_count,
                                                   std::uint16_t flags = 0) {
  return sizeof(RunHeader) + ((flags & kRunOfProducer) != 0 ? sizeof(RunProducer) : 0) +
         capture_count * sizeof(Capture);
}

// Walks the messages of one run. Every length is checked: a lying one ends the walk with ok()
// false.
class RunReader {
 public:
  // `bytes` begins with a RunHeader and may be longer than the run.
  explicit RunReader(std::span<const std::byte> bytes);

  // False when the header or a message lies about its lengths; next() then gives nothing more.
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] const RunHeader& header() const { return header_; }
  [[nodiscard]] std::size_t length() const { return header_.length; }
  [[nodiscard]] const std::optional<RunProducer>& producer() const { return producer_; }
  [[nodiscard]] bool is_late() const { return (header_.flags & kRunLate) != 0; }
  [[nodiscard]] Capture capture(std::size_t i) const;

  // The next message, or nothing at the end. The view points into the bytes given.
  [[nodiscard]] std::optional<MessageView> next();

 private:
  std::span<const std::byte> bytes_;  // of this run only
  RunHeader header_{};
  std::optional<RunProducer> producer_;
  std::size_t captures_at_ = sizeof(RunHeader);
  std::size_t at_ = 0;
  std::uint32_t seen_ = 0;
  std::string_view subject_;
  bool ok_ = false;
};

}  // namespace penstock
