// One session of a producer as a machine without sockets, clocks, threads: datagrams and times go
// in, datagrams and reports come out. docs/pdp.md is what it follows.
//
//   append() -> open frames -> sealed -> sent -> received -> at the session's level -> reported
//
// Before the first ACCEPT says where the session goes on, frames are numbered from 0 and OPEN says
// that nothing is held; they are numbered anew then. From there on a message keeps its sequence,
// but for those that were never sent when they were given up: what is behind them moves down.
//
// Invariants:
// - What is sent ends at or before limit(); sent and not received is at most the credit, but for
//   the first frame that the node misses, which is always sent again.
// - received >= written >= durable; none of them goes back on one connection.
// - Each appended message is reported exactly once, unless the core is destroyed before.
#pragma once

#include "dataplane/client/congestion.h"
#include "dataplane/client/handshake.h"
#include "dataplane/client/loss_detector.h"
#include "dataplane/door/pdp/replay_window.h"

namespace penstock::client {

inline constexpr std::size_t kComposedPerPoll = 16;  // frames that do not lie in a buffer as sent
inline constexpr std::size_t kControlPerPoll = 8;    // frames of no messages
inline constexpr std::size_t kControlBytes = 1088;   // SUBJECT with its trailer is the longest
inline constexpr std::size_t kPollBatchMin = kControlPerPoll + 1;

struct GoAway {
  pdp::GoAwayReason reason = pdp::GoAwayReason::kDrain;
  MonotonicNanos deadline;
  std::string_view endpoint;
};

enum class Path : std::uint8_t { kSame, kAnother };

enum class SessionState : std::uint8_t {
  kNew,
  kOpening,  // never opened yet
  kOpen,     // also while it is opened anew
  kClosing,
  kClosed,
  kRefused,  // for good: open() tries again
};

// One thread. Memory is taken by the constructor only. Times do not go back.
class SessionCore {
 public:
  using Datagram = std::span<const std::byte>;

  SessionCore(const SessionOptions& options, SessionListener& listener, Rng& rng);
  SessionCore(const SessionCore&) = delete;
  SessionCore& operator=(const SessionCore&) = delete;

  // Opens the session; when it is open, opens it anew. By another path (another end, another
  // source port) nothing is sent before it is open there, and what was found out of the old path is
  // forgotten.
  void open(MonotonicNanos now, Path path);
  // Of IP and UDP before each datagram, on the other path that open() is called for next.
  void set_headers_bytes(std::size_t bytes) { path_.set_headers_bytes(bytes); }
  // Takes no more messages, and ends when all are reported. Messages that are held for a node that
  // never answers keep it from ending: abandon() then.
  void close();
  // Reports all that is held as purged and ends at once.
  void abandon();
  // Gives up messages, those that were not sent yet or all.
  void purge(bool sent_too);
  // Frames that wait for more messages wait no longer.
  void flush();

  // Takes a copy. kFull until acknowledgements make room. Linger and time-out count from `queued`,
  // which may lie back.
  [[nodiscard]] Appended append(const OutgoingMessage& message, std::uint64_t opaque,
                                MonotonicNanos queued);
  // Messages of one subject; the same for each of them, and quicker.
  [[nodiscard]] AppendedAll append_all(std::string_view subject,
                                       std::span<const PlainMessage> messages,
                                       MonotonicNanos queued);
  // Asks whether a subject can be stored, by kCaptured; a question under way is forgotten.
  void ask(std::string_view subject, MonotonicNanos now);

  // What is to be sent now; call it again when it fills `out`, of kPollBatchMin or more. Counts as
  // sent. The bytes stay as they are until the next poll(), or until sent() says that they are out.
  [[nodiscard]] std::size_t poll(std::span<Datagram> out, MonotonicNanos now);
  void sent() { ring_.free_kept(); }
  // When poll() has something to do, if nothing is received or appended before.
  [[nodiscard]] MonotonicNanos next_deadline() const;
  void receive(Datagram datagram, MonotonicNanos now);
  // The system would not send so many bytes in one packet.
  void refused_length(std::size_t bytes, MonotonicNanos now) { path_.refused(bytes, now); }

  [[nodiscard]] SessionState state() const { return state_; }
  // Whether DATA may be sent; false before the first ACCEPT.
  [[nodiscard]] bool is_connected() const { return connection_ != 0; }
  // Messages appended and not reported.
  [[nodiscard]] std::uint64_t held_messages() const { return held_messages_; }
  [[nodiscard]] const Handshake& handshake() const { return handshake_; }
  [[nodiscard]] std::uint16_t cookie_shard() const { return handshake_.cookie().shard; }
  [[nodiscard]] std::uint16_t shards() const { return handshake_.cookie().shards; }
  [[nodiscard]] std::uint64_t session() const { return session_; }
  // Where the session went on when it was opened last.
  [[nodiscard]] std::uint64_t first_sequence() const { return first_sequence_; }
  [[nodiscard]] pdp::RefuseReason refuse_reason() const { return refuse_reason_; }
  [[nodiscard]] const GoAway& go_away() const { return go_away_; }
  [[nodiscard]] const pdp::CaptureBody& capture() const { return capture_; }
  [[nodiscard]] std::uint64_t limit() const { return limit_; }
  [[nodiscard]] std::size_t message_frame_bytes_max() const {
    return path_.frame_bytes() - trailer_bytes_;
  }
  [[nodiscard]] bool searches_path() const { return path_.is_searching(); }
  [[nodiscard]] SessionStatistics statistics() const;

 private:
  struct Output {
    std::span<Datagram> out;
    MonotonicNanos now;
    std::size_t count = 0;
    [[nodiscard]] bool is_full() const { return count == out.size(); }
  };

  // ---- session_core.cc: states, giving up --------------------------------------------------
  void end();
  void reopen(MonotonicNanos now);
  void report(const FrameEntry& entry, Outcome outcome, pdp::RejectReason reason);
  void give_up(std::size_t place, Outcome outcome,
               pdp::RejectReason reason = pdp::RejectReason::kNone);
  void give_up_unsent(std::size_t place, std::size_t frames, Outcome outcome);
  void expire(MonotonicNanos now);
  void took(std::size_t messages, std::size_t bytes, MonotonicNanos queued);
  void take_sealed(std::size_t frames_before) { queued_ += ring_.size() - frames_before; }
  void pop_finished();
  [[nodiscard]] bool holds_nothing() const { return ring_.empty() && batcher_.empty(); }

  // ---- session_send.cc ---------------------------------------------------------------------
  void run_timers(MonotonicNanos now);
  void seal_lingering(MonotonicNanos now);
  void drop_sent_without_level();
  void poll_control(Output& output);
  void poll_ask(Output& output);
  void poll_ping(Output& output);
  void watch_answers(MonotonicNanos now);
  void poll_close(Output& output);
  void say_ping(Output& output, std::size_t bytes);
  void poll_frames(Output& output);
  [[nodiscard]] FrameId next_frame() const;
  [[nodiscard]] FrameId missed_first() const;
  [[nodiscard]] bool may_send(const FrameEntry& entry) const;
  [[nodiscard]] bool fit(FrameId id);
  [[nodiscard]] bool send_frame(FrameId id, Output& output);
  void put(Output& output, Datagram frame);
  template <class Body>
  void say(Output& output, pdp::FrameType type, const Body& body,
           std::span<const std::byte> tail = {});

  // ---- session_receive.cc ------------------------------------------------------------------
  void drop(DatagramDrop cause) { ++statistics_.drops[static_cast<std::size_t>(cause)]; }
  // Each true: it was taken. What was not is counted.
  [[nodiscard]] bool is_authentic(const pdp::Frame& frame, Datagram datagram);
  [[nodiscard]] bool take_opening(const pdp::Frame& frame, Datagram datagram, MonotonicNanos now);
  [[nodiscard]] bool on_accept(const pdp::Frame& frame, Datagram datagram, MonotonicNanos now);
  void begin_connection(const pdp::AcceptBody& accept, MonotonicNanos now);
  void go_on_at(std::uint64_t next);
  [[nodiscard]] bool on_refuse(const pdp::Frame& frame, MonotonicNanos now);
  void take_connected(const pdp::Frame& frame, MonotonicNanos now);
  void on_go_away(const pdp::Frame& frame, MonotonicNanos now);
  void on_reset(MonotonicNanos now);
  void on_closed();
  void on_reject(const pdp::RejectBody& reject);

  // ---- session_ack.cc ----------------------------------------------------------------------
  void on_ack(const pdp::Frame& frame, MonotonicNanos now);
  void take_marks(const pdp::AckBody& ack);
  void take_received(std::uint64_t received);
  void take_ranges(const pdp::AckRanges& ranges);
  void mark_received(FrameId id);
  void took_losses(const Losses& losses);
  [[nodiscard]] std::uint64_t level_mark() const;
  // The sequence behind all that was sent on this connection.
  [[nodiscard]] std::uint64_t sent_end() const {
    return queued_ == 0 ? ring_.end_sequence()
                        : ring_[ring_.id_at(ring_.size() - queued_)].sequence;
  }

  SessionListener& listener_;
  pdp::Level level_;
  bool has_key_;
  std::size_t trailer_bytes_;
  std::int64_t linger_ns_;
  std::int64_t message_timeout_ns_;
  std::int64_t silence_ns_;

  pdp::Sealer sealer_;  // each direction has its own, since another key costs time
  pdp::Sealer verifier_;
  Handshake handshake_;
  FrameRing ring_;
  Batcher batcher_;
  LossDetector loss_;
  RttEstimator rtt_;
  Congestion congestion_;
  PathMtu path_;

  SessionState state_ = SessionState::kNew;
  std::uint64_t connection_ = 0;
  ConnectionKeys keys_;
  std::uint64_t packets_sent_ = 0;  // on this connection
  pdp::ReplayWindow replays_;
  std::uint64_t session_ = 0;
  bool numbered_ = false;  // by the first ACCEPT
  bool same_path_ = false;
  std::uint64_t first_sequence_ = 0;

  // What the node said on this connection.
  std::uint64_t received_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t durable_ = 0;
  std::uint64_t limit_ = 0;
  std::uint32_t credit_bytes_ = 0;
  std::array<pdp::AckRange, pdp::kAckRangesMax> ranges_{};
  std::size_t range_count_ = 0;

  std::size_t queued_ = 0;  // frames at the ring's end that were not sent on this connection
  std::size_t sent_without_level_ = 0;  // frames at its beginning that the last poll() gave out
  std::uint64_t held_messages_ = 0;
  std::uint64_t expired_until_ = 0;  // frames before that sequence were looked at
  MonotonicNanos expire_at_;         // nothing expires before
  bool window_was_full_ = false;     // when frames were sent last
  bool blocked_ = false;             // by credit or limit
  bool has_more_ = false;            // poll() stopped before all was given out
  std::uint32_t arrived_ = 0;        // frames, by the ACK that is being taken

  MonotonicNanos opened_at_;  // the last opening began
  std::int64_t keep_alive_ns_ = 0;
  MonotonicNanos idle_until_ = kNever;  // a PING is due then
  MonotonicNanos unanswered_ = kNever;  // sent then, and nothing was heard since
  RepeatTimer ping_;                    // for credit, or to hear whether the node is there
  RepeatTimer close_;
  RepeatTimer ask_;

  std::optional<pdp::ChallengeBody> challenge_;
  pdp::RefuseReason refuse_reason_ = pdp::RefuseReason::kFull;
  GoAway go_away_;
  std::array<char, pdp::kEndpointBytesMax> go_away_endpoint_{};
  std::array<std::byte, kSubjectBytesMax> asked_{};
  std::size_t asked_bytes_ = 0;
  std::uint32_t request_ = 0;
  pdp::CaptureBody capture_{};

  SessionStatistics statistics_;
  std::size_t composed_max_;
  std::vector<std::byte> composed_;  // composed_max_ frames
  std::size_t composed_count_ = 0;
  std::array<std::array<std::byte, kControlBytes>, kControlPerPoll> control_{};
  std::size_t control_count_ = 0;
  std::vector<std::byte> probe_;  // a PING of any length
};

}  // namespace penstock::client
