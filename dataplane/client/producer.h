// A producer: messages go in from any thread, what became of each comes out by poll().
//
// A thread of its own (producer_loop.h) holds the sessions, one for each shard of the node, and
// moves between the endpoints. Messages of one subject keep their order within a session; with more
// than one session they are spread frame by frame, so that `session.sockets` = 1 is for those to
// whom the order of all of a subject matters.
#pragma once

#include <memory>

#include "dataplane/client/producer_config.h"
#include "dataplane/client/transport.h"

namespace penstock::client {

enum class Produced : std::uint8_t {
  kQueued,      // it will be reported
  kQueueFull,   // by messages or bytes
  kTooLarge,    // for a frame of batch.size
  kBadSubject,  // empty, too long, an empty token, a wildcard, or a character that it may not have
  kBadField,    // key or headers of more than 65,535 bytes
  kClosed,
};

enum class WhenFull : std::uint8_t { kFail, kBlock };

struct Delivery {
  std::uint64_t opaque = 0;
  std::uint64_t session = 0;   // number of the session
  std::uint64_t sequence = 0;  // of the message in it
  Outcome outcome = Outcome::kAcknowledged;
  pdp::RejectReason reason = pdp::RejectReason::kNone;
  bool may_be_stored = false;  // though it failed
};

class DeliveryListener {
 public:
  virtual ~DeliveryListener() = default;
  // Called by the thread that calls poll(), flush(), close(), or waits in produce(): by one at a
  // time. It may produce, which waits for no room then; poll(), flush() and close() do nothing.
  virtual void on_delivery(const Delivery& delivery) = 0;
};

struct ProducerStatistics {
  SessionStatistics sessions;       // summed; times and windows of the first
  TransportStatistics transports;   // summed
  std::uint64_t messages_held = 0;  // produced and not reported
  std::size_t session_count = 0;
  std::size_t sessions_open = 0;
  std::size_t shards_reached = 0;
  std::uint64_t failovers = 0;
  // Of the first session: where it went on when it was opened last, and why the node refuses it.
  std::uint64_t first_sequence = 0;
  std::optional<pdp::RefuseReason> refused;
};

// Any thread, unless said otherwise.
class Producer {
 public:
  // `listener` outlives the producer; without one nothing is reported. Throws what the standard
  // library does when the system denies memory or a thread; nothing of it is left then.
  [[nodiscard]] static Result<std::unique_ptr<Producer>> start(const ProducerConfig& config,
                                                               DeliveryListener* listener);
  // As close(0).
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Takes a copy. `opaque` comes back with the report. With kBlock it waits for room and reports
  // what is known meanwhile, so that one thread alone gets on. A message takes room until it is
  // reported; where the node is away for long, the message time-out makes some.
  [[nodiscard]] Produced produce(const OutgoingMessage& message, std::uint64_t opaque,
                                 WhenFull when_full = WhenFull::kFail);
  // Messages in this order, each as by produce(), and quicker: what is the same for all is done
  // once. `produced`, as long as `messages`, is set to what became of each; returns how many are
  // queued. One that can never be taken holds none up. The first that finds no room, or the
  // producer closed, and those behind it are not queued.
  std::size_t produce_all(std::span<const OfferedMessage> messages, std::span<Produced> produced,
                          WhenFull when_full = WhenFull::kFail);
  // Reports what is known, waiting for something at most that long. Returns how many.
  std::size_t poll(std::int64_t timeout_ms);
  // Sends what waits, and reports until nothing is held any more or the time is over. Returns
  // whether nothing is; then each on_delivery() is over too, also in other threads.
  bool flush(std::int64_t timeout_ms);
  // Gives up what was not sent yet, or all.
  void purge(bool sent_too);
  // Takes no more messages, waits at most that long until all are reported, and ends. Returns
  // whether all was acknowledged or failed by itself. One thread, the last.
  bool close(std::int64_t timeout_ms);
  [[nodiscard]] ProducerStatistics statistics() const;

 private:
  struct Parts;
  explicit Producer(std::unique_ptr<Parts> parts);
  // kQueued: it may be tried again.
  [[nodiscard]] Produced wait_for_room(WhenFull when_full);
  std::unique_ptr<Parts> parts_;
};

[[nodiscard]] std::string_view name_of(Produced produced);  // "queue_full"

}  // namespace penstock::client
