// The producer's own thread: messages from the queue into the sessions, datagrams between these and
// their sockets, reports out.
#pragma once

#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "dataplane/client/delivery_queue.h"
#include "dataplane/client/message_queue.h"
#include "dataplane/client/producer_link.h"

namespace penstock::client {

// What the application's threads ask of the loop.
struct LoopRequests {
  std::atomic<unsigned> flushing{0};  // threads
  std::atomic<bool> purge_unsent{false};
  std::atomic<bool> purge_all{false};
  std::atomic<bool> close{false};
  std::atomic<bool> abandon{false};
};

class ProducerLoop {
 public:
  ProducerLoop(const ProducerConfig& config, const pdp::ProducerKey& key, MessageQueue& messages,
               DeliveryQueue* deliveries, int wake_descriptor);

  // Until it was asked to close and all sessions are closed, or to abandon.
  void run();
  // What run() does again and again: whatever can be done at once ...
  void turn(MonotonicNanos now);
  // ... and until when nothing has to be, unless a datagram comes or somebody calls wake().
  [[nodiscard]] MonotonicNanos rest_until(MonotonicNanos now);

  // ---- Any thread --------------------------------------------------------------------------
  LoopRequests requests;
  // Wakes the loop if it sleeps.
  void wake() const;
  void wake_if_asleep() const {
    if (asleep_.load(std::memory_order_seq_cst)) wake();
  }
  [[nodiscard]] ProducerStatistics statistics() const;
  // Whether run() is over, waiting for that at most so long.
  bool wait_until_ended(std::int64_t time_ns);

 private:
  struct Link final : SessionListener {
    Link(ProducerLoop& owner, const LinkOptions& options)
        : loop(owner), link(options, *this, owner.rng_) {}
    void on_report(const DeliveryReport& report) override { loop.report(*this, report); }
    void on_event(SessionEvent event) override { link.note(event); }
    ProducerLoop& loop;
    ProducerLink link;
    unsigned ports_tried = 0;
    bool is_placed = false;  // on a shard that suits it, or wherever it got after enough tries
  };

  void take_requests();
  void add_links(MonotonicNanos now);
  void place(Link& link, MonotonicNanos now);
  [[nodiscard]] bool has_given_name() const;
  [[nodiscard]] bool is_astray(const Link& link) const;
  [[nodiscard]] LinkOptions options_for(std::size_t index) const;
  void fill();
  [[nodiscard]] bool give_to_session(const QueuedMessage& queued);
  void report(const Link& link, const DeliveryReport& report);
  void fail(const QueuedMessage& queued, Outcome outcome);
  void deliver(const Delivery& delivery);
  void fail_queued(Outcome outcome);
  void expire_queued(MonotonicNanos now);
  void rest(MonotonicNanos now);
  void publish(MonotonicNanos now);
  [[nodiscard]] bool is_done() const;

  const ProducerConfig& config_;
  pdp::ProducerKey key_;
  MessageQueue& messages_;
  DeliveryQueue* deliveries_;
  int wake_descriptor_;
  std::atomic<bool> asleep_{false};
  SystemClock clock_;
  Rng rng_;
  std::string session_name_;
  std::vector<std::unique_ptr<Link>> links_;
  std::size_t filling_ = 0;       // the link that takes messages now
  std::size_t filled_bytes_ = 0;  // by it: a frame's worth, then it is another's turn
  std::uint64_t reported_ = 0;    // in this turn
  bool has_more_ = false;         // messages that could be taken at once
  bool waits_for_room_ = false;   // in the sessions, for messages
  bool lost_place_ = false;       // keeps_places, and a message failed without a sequence
  bool closing_ = false;
  std::vector<pollfd> waits_;
  MonotonicNanos publish_at_;
  bool is_unpublished_ = false;  // what became of this turn
  mutable std::mutex statistics_mutex_;
  ProducerStatistics statistics_;
  std::mutex ended_mutex_;
  std::condition_variable ended_changed_;
  bool has_ended_ = false;
};

}  // namespace penstock::client
