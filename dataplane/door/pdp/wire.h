// PDP frames as bytes, for both ends: docs/pdp.md, which every struct here is one of the tables of.
//
// Structures are copied in and out (load, store of storage/format/format.h), never cast over a
// buffer.
#pragma once

#include <expected>

#include "base/check.h"
#include "storage/format/run.h"

namespace penstock::pdp {

inline constexpr std::uint16_t kMagic = 0x4450;  // "PD"
inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::uint16_t kDefaultPort = 7373;

inline constexpr std::size_t kFrameBytesMin = 24;
inline constexpr std::size_t kFrameBytesMax = 8972;  // 9,000 with the headers of IPv4 and UDP
inline constexpr std::size_t kHelloBytesMin = 1200;  // longer than what answers it
inline constexpr std::size_t kPingBytesMin = 32;
inline constexpr std::size_t kSmallFrameBytesMax = 1232;  // every path takes it, also over IPv6
inline constexpr std::size_t kNameBytesMax = 64;          // of a session or a key
inline constexpr std::size_t kEndpointBytesMax = 256;
inline constexpr std::size_t kAckRangesMax = 32;

enum class FrameType : std::uint8_t {
  kHello = 1,
  kCookie,
  kOpen,
  kAccept,
  kRefuse,
  kData,
  kSkip,
  kAck,
  kReject,
  kSubject,
  kCapture,
  kPing,
  kClose,
  kClosed,
  kGoAway,
  kChallenge,
  kResponse,
  kReset,
};
inline constexpr std::size_t kFrameTypes = 19;  // one past the largest

enum class Level : std::uint16_t { kNone = 0, kReceived, kWritten, kDurable };
enum class RefuseReason : std::uint16_t { kFull = 1, kKeyNeeded, kKeyWrong, kEnding, kBadField };
enum class RejectReason : std::uint16_t {
  kNone = 0,
  kNoStream,
  kBadSubject,
  kTooLarge,
  kCapturesFull,
};
enum class CreditState : std::uint8_t {
  kFlows = 0,
  kDriveSlow,
  kVolumeFull,
  kVolumeFailed,
  kNoRoom
};
enum class GoAwayReason : std::uint16_t { kDrain = 1, kRedirect };

using Nonce = std::array<std::byte, 16>;
using Tag = std::array<std::byte, 16>;

inline constexpr std::uint16_t kSealed = 1;  // flag: a trailer ends the frame

struct FrameHeader {
  std::uint16_t magic;
  std::uint8_t version;
  FrameType type;
  std::uint16_t flags;
  std::uint16_t length;  // of the frame, trailer included
  std::uint64_t connection;
};
static_assert(sizeof(FrameHeader) == 16);

struct Trailer {
  std::uint64_t packet;
  Tag tag;
};
static_assert(sizeof(Trailer) == 24);

// What stands behind the header.
struct HelloBody {
  Nonce nonce;
  std::uint32_t sent_us;
};
struct CookieBody {
  Nonce nonce;
  std::uint64_t issued_ns;
  Tag cookie;
  std::uint32_t echoed_us;
  std::uint16_t shard;
  std::uint16_t shards;
  std::uint64_t boot;
};
struct OpenBody {  // followed by the key's name, the session's name
  Nonce nonce;
  std::uint64_t issued_ns;
  Tag cookie;
  std::uint64_t oldest;
  std::uint64_t next;
  Level level;
  std::uint16_t frame_bytes_max;
  std::uint8_t key_bytes;
  std::uint8_t name_bytes;
  std::uint16_t reserved;
};
struct AcceptBody {
  Nonce nonce;
  Nonce node_nonce;
  std::uint64_t session;
  std::uint64_t boot;
  std::uint64_t next;
  std::uint64_t durable;
  std::uint64_t limit;
  std::uint32_t credit_bytes;
  std::uint32_t idle_ms;
  std::uint16_t frame_bytes_max;
  std::uint16_t shard;
  std::uint16_t shards;
  std::uint16_t reserved0;
  std::uint64_t lost;
  std::uint64_t reserved1;
};
struct RefuseBody {
  Nonce nonce;
  RefuseReason reason;
  std::uint16_t reserved;
  std::uint32_t retry_ms;
};
struct DataBody {  // followed by the messages; of SKIP too, which has none
  std::uint64_t sequence;
  std::uint32_t message_count;
  std::uint32_t sent_us;
};
struct AckBody {  // followed by range_count AckRanges
  std::uint64_t received;
  std::uint64_t written;
  std::uint64_t durable;
  std::uint64_t limit;
  std::uint64_t lost;
  std::uint32_t credit_bytes;
  std::uint32_t echoed_us;
  std::uint32_t delay_us;
  std::uint16_t probe_bytes;
  CreditState state;
  std::uint8_t range_count;
  std::uint64_t reserved;
};
struct AckRange {
  std::uint64_t first;
  std::uint64_t end;
  bool operator==(const AckRange&) const = default;
};
struct RejectBody {
  std::uint64_t sequence;
  std::uint32_t message_count;
  RejectReason reason;
  std::uint16_t reserved;
};
struct SubjectBody {  // followed by the subject
  std::uint32_t request;
  std::uint16_t subject_bytes;
  std::uint16_t reserved;
};
struct CaptureBody {
  std::uint32_t request;
  RejectReason reason;
  std::uint16_t streams;
};
struct PingBody {
  std::uint32_t sent_us;
  std::uint32_t reserved;
};
struct CloseBody {
  std::uint64_t next;
  std::uint64_t reserved;
};
struct ClosedBody {
  std::uint64_t received;
  std::uint64_t durable;
  std::uint64_t lost;
};
struct GoAwayBody {  // followed by the endpoint
  GoAwayReason reason;
  std::uint16_t endpoint_bytes;
  std::uint32_t deadline_ms;
};
struct ChallengeBody {  // of RESPONSE too
  std::uint64_t token;
};
struct ResetBody {
  std::uint64_t boot;
  std::uint64_t reserved;
};

static_assert(sizeof(HelloBody) == 20 && sizeof(CookieBody) == 56 && sizeof(OpenBody) == 64);
static_assert(sizeof(AcceptBody) == 104 && sizeof(RefuseBody) == 24 && sizeof(DataBody) == 16);
static_assert(sizeof(AckBody) == 64 && sizeof(AckRange) == 16 && sizeof(RejectBody) == 16);
static_assert(sizeof(SubjectBody) == 8 && sizeof(CaptureBody) == 8 && sizeof(PingBody) == 8);
static_assert(sizeof(CloseBody) == 16 && sizeof(ClosedBody) == 24 && sizeof(GoAwayBody) == 8);
static_assert(sizeof(ChallengeBody) == 8 && sizeof(ResetBody) == 16);

// Why a frame is none; each is counted.
enum class FrameFault : std::uint8_t {
  kTruncated,  // shorter than the least of its type
  kBadMagic,   // no PDP, or of another version
  kBadLength,  // `length` is not that of the datagram or of its type, or too long for a frame, or
               // the lengths inside do not fill it
  kBadType,    // a type that does not exist, or that only the other end sends
  kBadField,   // a reserved field, a flag, padding or a number that may not be so
};
inline constexpr std::size_t kFrameFaults = 5;

// A frame that decode_frame() took; views into the datagram.
struct Frame {
  FrameHeader header;
  std::span<const std::byte> body;  // behind the header, without the trailer
  std::uint64_t packet = 0;         // of the trailer; 0 without one
  bool sealed = false;
};

// Who sent it: the types that may come are those of the sender.
enum class Sender : std::uint8_t { kProducer, kNode };

// Checks all that docs/pdp.md says of a frame taken alone: lengths, reserved fields, padding, and
// that numbers are in their ranges and order. Not: the messages of DATA (run_check.h), the seal
// (seal.h), and what a REFUSE answers (is_acceptable).
[[nodiscard]] std::expected<Frame, FrameFault> decode_frame(std::span<const std::byte> datagram,
                                                            Sender sender);

// The fixed part of a frame's body. Body is the one of the frame's type.
template <class Body>
[[nodiscard]] Body body_of(const Frame& frame) {
  return load<Body>(frame.body);
}

// What stands behind the fixed part, each for frames of one type only.
struct OpenNames {
  std::string_view key;  // empty: none
  std::span<const std::byte> session;
};
[[nodiscard]] OpenNames names_of(const Frame& open);
[[nodiscard]] std::string_view subject_of(const Frame& subject);
[[nodiscard]] std::string_view endpoint_of(const Frame& go_away);
[[nodiscard]] std::span<const std::byte> messages_of(const Frame& data);

// The ranges of an ACK: ascending, apart, none empty, none before `received`.
class AckRanges {
 public:
  explicit AckRanges(const Frame& ack) : bytes_(ack.body.subspan(sizeof(AckBody))) {}
  [[nodiscard]] std::size_t size() const { return bytes_.size() / sizeof(AckRange); }
  [[nodiscard]] AckRange operator[](std::size_t i) const {
    return load<AckRange>(bytes_, i * sizeof(AckRange));
  }

 private:
  std::span<const std::byte> bytes_;
};

// Whether level, lengths of names, frame length and sequences of an OPEN are such that exist: else
// REFUSE answers it with kBadField, once its cookie has proved the address.
[[nodiscard]] bool is_acceptable(const OpenBody& open);

// Writes header and body; what follows the body is already behind it. `frame` is the whole frame,
// trailer included when `sealed`.
template <class Body>
void encode_frame(std::span<std::byte> frame, FrameType type, std::uint64_t connection,
                  const Body& body, bool sealed = false) {
  CHECK_LE(frame.size(), kFrameBytesMax);
  store(frame, 0,
        FrameHeader{.magic = kMagic,
                    .version = kVersion,
                    .type = type,
                    .flags = sealed ? kSealed : std::uint16_t{0},
                    .length = static_cast<std::uint16_t>(frame.size()),
                    .connection = connection});
  store(frame, sizeof(FrameHeader), body);
}

inline constexpr std::size_t kDataHeadBytes = sizeof(FrameHeader) + sizeof(DataBody);

// The number of the session of this name, opened with a key of that name (none: empty); never 0.
[[nodiscard]] std::uint64_t session_number(std::string_view key_name,
                                           std::span<const std::byte> session_name);

[[nodiscard]] std::string_view name_of(FrameType type);    // "data"
[[nodiscard]] std::string_view name_of(FrameFault fault);  // "bad_length"

}  // namespace penstock::pdp
