// What a session is made with, and what it tells of itself.
#pragma once

#include "dataplane/client/batcher.h"
#include "dataplane/client/path_mtu.h"
#include "dataplane/door/pdp/keys.h"

namespace penstock::client {

struct SessionOptions {
  // 1 to 64 bytes, text or random. With `suits_shard` 4 bytes follow, chosen so that the session
  // lives on the shard that its first COOKIE comes from; then at most 60.
  std::span<const std::byte> name;
  bool suits_shard = false;
  std::string_view key_name;  // empty: without a key
  pdp::ProducerKey key{};     // of that name
  pdp::Level level = pdp::Level::kDurable;
  std::size_t frames = 1024;  // held at a time, open ones among them
  BatcherOptions batch;
  bool keeps_opaques = true;                      // a number of the caller's for each message
  std::int64_t linger_ns = 5 * kNanosPerMilli;    // that a frame waits for more messages
  std::int64_t message_timeout_ns = 0;            // after which a message is given up; 0: never
  std::int64_t silence_ns = 5 * kNanosPerSecond;  // unanswered: the session is opened anew
  PathMtuOptions path;
};

// What became of the messages of a frame.
enum class Outcome : std::uint8_t {
  kAcknowledged,  // they are at the session's level
  kSent,          // once: all that is known with level none
  kExpired,       // given up after the message time-out
  kRejected,      // the node said that it can never store them
  kTooLarge,      // for what the path takes by now
  kPurged,        // given up by the caller
};
inline constexpr std::size_t kOutcomes = 6;

struct DeliveryReport {
  std::uint64_t sequence = 0;  // of the first message
  std::uint32_t messages = 0;
  Outcome outcome = Outcome::kAcknowledged;
  pdp::RejectReason reason = pdp::RejectReason::kNone;  // with kRejected
  bool may_be_stored = false;  // a failed one: it was sent, and the node may have taken it
  std::span<const std::uint64_t> opaques;  // of the messages; empty if none are kept
};

enum class SessionEvent : std::uint8_t {
  kCookie,    // the node answers; cookie_shard() and shards() are known. restart() is possible
  kOpened,    // also after a while away: first_sequence() says where it goes on
  kRefused,   // refuse_reason(); it is tried again if the node said so
  kReset,     // the node does not know the connection: it is opened anew meanwhile
  kSilent,    // nothing was heard for a time: it is opened anew meanwhile
  kGoAway,    // go_away() says why and where to
  kCaptured,  // capture() answers ask()
  kClosed,    // all that was sent is at the session's level
};

// Called while the core receives or polls: it may look at the core, not change it.
class SessionListener {
 public:
  virtual ~SessionListener() = default;
  virtual void on_report(const DeliveryReport& report) = 0;
  virtual void on_event(SessionEvent event) = 0;
};

// Why a datagram was not taken.
enum class DatagramDrop : std::uint8_t {
  kTruncated,  // the faults of pdp::FrameFault, in their order
  kBadMagic,
  kBadLength,
  kBadType,
  kBadField,
  kSealMissing,  // the session has a key, the frame no seal
  kSealUnexpected,
  kSealWrong,   // the tag
  kReplayed,    // a packet number that came before, or is too old
  kStrange,     // of another connection or opening, or not waited for
  kImpossible,  // says of messages that were never sent that they came
};
inline constexpr std::size_t kDatagramDrops = 11;
static_assert(static_cast<std::size_t>(DatagramDrop::kSealMissing) == pdp::kFrameFaults);

[[nodiscard]] std::string_view name_of(DatagramDrop drop);  // "seal_wrong"
[[nodiscard]] std::string_view name_of(Outcome outcome);    // "acknowledged"

// Since the session began; messages = open + held + reported.
struct SessionStatistics {
  std::uint64_t messages = 0;                       // appended
  std::uint64_t message_bytes = 0;                  // payloads
  std::array<std::uint64_t, kOutcomes> outcomes{};  // messages reported
  std::uint64_t frames_sent = 0;                    // of DATA and SKIP, each copy
  std::uint64_t frames_resent = 0;                  // of them not the first copy
  std::uint64_t frames_lost = 0;                    // copies thought lost
  std::uint64_t timeouts = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t bytes_sent = 0;  // of all datagrams
  std::uint64_t datagrams_received = 0;
  std::uint64_t acks = 0;
  std::array<std::uint64_t, kDatagramDrops> drops{};
  std::uint64_t openings = 0;  // ACCEPTs
  std::uint64_t resets = 0;
  // Of this moment.
  std::uint64_t lost = 0;  // messages that never came, as the node counts
  std::uint64_t rtt_min_ns = 0;
  std::uint64_t rtt_smoothed_ns = 0;
  std::uint32_t window_frames = 0;
  std::uint32_t credit_bytes = 0;
  std::uint64_t limit = 0;
  std::uint64_t frame_bytes_max = 0;
  std::uint64_t path_fallbacks = 0;
  pdp::CreditState credit_state = pdp::CreditState::kFlows;
};

}  // namespace penstock::client
