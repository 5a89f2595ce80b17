#include "dataplane/client/producer_loop.h"

#include <unistd.h>

#include <algorithm>

namespace penstock::client {
namespace {

constexpr std::size_t kMessagesPerTurn = 4096;  // then datagrams have their turn
constexpr std::size_t kSessionsMax = 64;
constexpr unsigned kPortsPerShard = 4;  // tried to reach one that suits
constexpr std::int64_t kPublishNs = 20 * kNanosPerMilli;
constexpr std::int64_t kSleepMaxNs = kNanosPerSecond;

std::string hex(std::uint64_t number) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[(number >> shift) & 15U];
  return text;
}

void add(SessionStatistics& sum, const SessionStatistics& one) {
  if (sum.datagrams_sent == 0) {
    sum = one;  // with what is of a moment
    return;
  }
  sum.messages += one.messages;
  sum.message_bytes += one.message_bytes;
  for (std::size_t i = 0; i < sum.outcomes.size(); ++i) sum.outcomes[i] += one.outcomes[i];
  sum.frames_sent += one.frames_sent;
  sum.frames_resent += one.frames_resent;
  sum.frames_lost += one.frames_lost;
  sum.timeouts += one.timeouts;
  sum.datagrams_sent += one.datagrams_sent;
  sum.bytes_sent += one.bytes_sent;
  sum.datagrams_received += one.datagrams_received;
  sum.acks += one.acks;
  for (std::size_t i = 0; i < sum.drops.size(); ++i) sum.drops[i] += one.drops[i];
  sum.openings += one.openings;
  sum.resets += one.resets;
  sum.lost += one.lost;
}

void add(TransportStatistics& sum, const TransportStatistics& one) {
  sum.calls_sent += one.calls_sent;
  sum.datagrams_sent += one.datagrams_sent;
  sum.datagrams_received += one.datagrams_received;
  sum.refused += one.refused;
  sum.too_long += one.too_long;
  sum.failed += one.failed;
}

}  // namespace

ProducerLoop::ProducerLoop(const ProducerConfig& config, const pdp::ProducerKey& key,
                           MessageQueue& messages, DeliveryQueue* deliveries, int wake_descriptor)
    : config_(config),
      key_(key),
      messages_(messages),
      deliveries_(deliveries),
      wake_descriptor_(wake_descriptor),
      rng_(Rng::from_kernel()),
      session_name_(config.session_name.empty() ? config.client_id + "-" + hex(rng_.next())
                                                : config.session_name) {
  links_.push_back(std::make_unique<Link>(*this, options_for(0)));
}

// A name that its user gave is taken as it is where there is one session only: it finds the session
// again.
LinkOptions ProducerLoop::options_for(std::size_t index) const {
  const bool is_only = config_.sockets == 1;
  return {.config = &config_,
          .key = key_,
          .session_name = is_only ? session_name_ : session_name_ + "/" + std::to_string(index),
          .suits_shard = !has_given_name()};
}

bool ProducerLoop::has_given_name() const {
  return config_.sockets == 1 && !config_.session_name.empty();
}

void ProducerLoop::wake() const {
  const std::uint64_t one = 1;
  // A full counter wakes as well.
  if (write(wake_descriptor_, &one, sizeof one) < 0) return;
}

void ProducerLoop::run() {
  links_.front()->link.start(0, clock_.monotonic_now());
  while (!is_done()) {
    turn(clock_.monotonic_now());
    rest(clock_.monotonic_now());
  }
  fail_queued(Outcome::kPurged);  // should anything be left: each is reported
  publish(clock_.monotonic_now() + kPublishNs);
  if (deliveries_ != nullptr) deliveries_->wake();
  const std::scoped_lock lock(ended_mutex_);
  has_ended_ = true;
  ended_changed_.notify_all();
}

bool ProducerLoop::wait_until_ended(std::int64_t time_ns) {
  std::unique_lock lock(ended_mutex_);
  return ended_changed_.wait_for(lock, std::chrono::nanoseconds(time_ns),
                                 [this] { return has_ended_; });
}

bool ProducerLoop::is_done() const {
  return closing_ && std::ranges::all_of(links_, [](const auto& link) {
           return link->link.core().state() == SessionState::kClosed;
         });
}

void ProducerLoop::turn(MonotonicNanos now) {
  reported_ = 0;
  for (const auto& link : links_) link->link.receive(now);
  take_requests();
  add_links(now);
  fill();
  expire_queued(now);
  for (const auto& link : links_) {
    if (requests.flushing.load(std::memory_order_relaxed) != 0) link->link.core().flush();
    link->link.send(now);
    link->link.follow_events(now);
  }
  if (reported_ != 0 && deliveries_ != nullptr) {
    deliveries_->wake();
    messages_.wake();
  }
  publish(now);
}

void ProducerLoop::take_requests() {
  const bool all = requests.purge_all.exchange(false, std::memory_order_acq_rel);
  if (all || requests.purge_unsent.exchange(false, std::memory_order_acq_rel)) {
    fail_queued(Outcome::kPurged);
    for (const auto& link : links_) link->link.core().purge(all);
  }
  if (requests.abandon.load(std::memory_order_acquire)) {
    fail_queued(Outcome::kPurged);
    for (const auto& link : links_) link->link.core().abandon();
    closing_ = true;
    return;
  }
  // What waits in the queue has to be in the sessions before they close.
  if (!closing_ && requests.close.load(std::memory_order_acquire)) {
    fill();
    closing_ = messages_.empty();
    if (!closing_) return;
    for (const auto& link : links_) link->link.core().close();
  }
}

// The first session learns how many shards there are; each of the others looks for one of its own.
// A name that was given is that of one shard, and its session looks for that.
void ProducerLoop::add_links(MonotonicNanos now) {
  if (closing_) return;
  ProducerLink& first = links_.front()->link;
  if (!first.knows_shard()) return;
  const std::size_t wanted =
      std::min(kSessionsMax, config_.sockets == 0 ? first.core().shards() : config_.sockets);
  while (links_.size() < wanted) {
    links_.push_back(std::make_unique<Link>(*this, options_for(links_.size())));
    links_.back()->link.start(first.endpoint(), now);
  }
  if (!has_given_name()) links_.front()->is_placed = true;
  for (const auto& link : links_) place(*link, now);
}

bool ProducerLoop::is_astray(const Link& link) const {
  const SessionCore& core = link.link.core();
  if (has_given_name()) return !core.handshake().suits_shard();
  return std::ranges::any_of(links_, [&](const auto& other) {
    return other->is_placed && other->link.core().cookie_shard() == core.cookie_shard();
  });
}

// By the source port, which network cards look at.
void ProducerLoop::place(Link& link, MonotonicNanos now) {
  if (link.is_placed || !link.link.knows_shard()) return;
  const SessionCore& core = link.link.core();
  if (!is_astray(link) || core.is_connected() || links_.size() > core.shards() ||
      ++link.ports_tried > kPortsPerShard * core.shards()) {
    link.is_placed = true;
    return;
  }
  link.link.change_port(now);
}

void ProducerLoop::fill() {
  QueuedMessage queued;
  has_more_ = waits_for_room_ = false;
  for (std::size_t i = 0; i < kMessagesPerTurn; ++i) {
    if (lost_place_) return fail_queued(Outcome::kPurged);
    if (!messages_.front(queued)) return;
    waits_for_room_ = !give_to_session(queued);
    if (waits_for_room_) return;
    messages_.pop();
  }
  has_more_ = true;
}

// False: no session has room for it now.
bool ProducerLoop::give_to_session(const QueuedMessage& queued) {
  bool waits_for_path = false;
  for (std::size_t tries = 0; tries < links_.size(); ++tries) {
    ProducerLink& link = links_[filling_]->link;
    if (link.takes_messages() || links_.size() == 1) {
      const Appended appended = link.core().append(queued.message, queued.opaque, queued.queued);
      if (appended == Appended::kDone) {
        filled_bytes_ += queued.message.payload.size() + sizeof(MessageHeader);
        if (filled_bytes_ >= link.core().message_frame_bytes_max()) {
          filled_bytes_ = 0;
          filling_ = (filling_ + 1) % links_.size();
        }
        return true;
      }
      // A longer frame may yet turn out to be possible.
      waits_for_path |= appended == Appended::kTooLarge &&
                        (link.core().searches_path() || !link.core().is_connected());
      if (appended == Appended::kBadField || (appended == Appended::kTooLarge && !waits_for_path)) {
        fail(queued, Outcome::kTooLarge);
        return true;
      }
    }
    filled_bytes_ = 0;
    filling_ = (filling_ + 1) % links_.size();
  }
  return false;
}

void ProducerLoop::report(const Link& link, const DeliveryReport& report) {
  if (deliveries_ == nullptr) messages_.done(report.messages);
  reported_ += report.messages;
  if (deliveries_ == nullptr) return;
  std::uint64_t sequence = report.sequence;
  for (const std::uint64_t opaque : report.opaques) {
    deliver({.opaque = opaque,
             .session = link.link.core().session(),
             .sequence = sequence++,
             .outcome = report.outcome,
             .reason = report.reason,
             .may_be_stored = report.may_be_stored});
  }
}

void ProducerLoop::deliver(const Delivery& delivery) { deliveries_->push(delivery); }

void ProducerLoop::fail(const QueuedMessage& queued, Outcome outcome) {
  ++reported_;
  lost_place_ = config_.keeps_places;
  if (deliveries_ == nullptr) {
    messages_.done(1);
  } else {
    deliver({.opaque = queued.opaque, .outcome = outcome});
  }
}

void ProducerLoop::fail_queued(Outcome outcome) {
  QueuedMessage queued;
  while (messages_.front(queued)) {
    fail(queued, outcome);
    messages_.pop();
  }
}

void ProducerLoop::expire_queued(MonotonicNanos now) {
  if (config_.message_timeout_ns == 0) return;
  QueuedMessage queued;
  while (messages_.front(queued) && queued.queued + config_.message_timeout_ns <= now) {
    fail(queued, Outcome::kExpired);
    messages_.pop();
  }
}

MonotonicNanos ProducerLoop::rest_until(MonotonicNanos now) {
  if (has_more_) return now;
  MonotonicNanos next = now + kSleepMaxNs;
  for (const auto& link : links_) next = std::min(next, link->link.next_deadline());
  if (is_unpublished_) next = std::min(next, publish_at_);
  // Messages that wait for room are not helped by waking: what makes room wakes.
  asleep_.store(!waits_for_room_, std::memory_order_seq_cst);
  // Pushed since the sessions were filled: whoever pushed may not have seen that we sleep.
  return !waits_for_room_ && !messages_.empty() ? now : std::max(next, now);
}

void ProducerLoop::rest(MonotonicNanos now) {
  const std::int64_t wait_ns = rest_until(now).value - now.value;
  if (wait_ns > 0) {
    waits_.clear();
    waits_.push_back({.fd = wake_descriptor_, .events = POLLIN, .revents = 0});
    for (const auto& link : links_) {
      const auto out = static_cast<short>(link->link.waits_to_send() ? POLLOUT : 0);
      waits_.push_back({.fd = link->link.descriptor(),
                        .events = static_cast<short>(POLLIN | out),
                        .revents = 0});
    }
    const timespec wait{.tv_sec = wait_ns / kNanosPerSecond, .tv_nsec = wait_ns % kNanosPerSecond};
    ppoll(waits_.data(), waits_.size(), &wait, nullptr);
    if ((waits_.front().revents & POLLIN) != 0) {
      std::uint64_t wakes = 0;
      // One that somebody else has read is no wake.
      if (read(wake_descriptor_, &wakes, sizeof wakes) < 0) wakes = 0;
    }
  }
  asleep_.store(false, std::memory_order_seq_cst);
}

void ProducerLoop::publish(MonotonicNanos now) {
  is_unpublished_ = now < publish_at_;
  if (is_unpublished_) return;
  publish_at_ = now + kPublishNs;
  ProducerStatistics statistics{.session_count = links_.size()};
  std::vector<std::uint16_t> reached;
  for (const auto& link : links_) {
    add(statistics.sessions, link->link.core().statistics());
    add(statistics.transports, link->link.transport_statistics());
    statistics.failovers += link->link.failovers();
    if (!link->link.core().is_connected()) continue;
    ++statistics.sessions_open;
    const std::uint16_t shard = link->link.core().cookie_shard();
    if (std::ranges::find(reached, shard) == reached.end()) reached.push_back(shard);
  }
  statistics.shards_reached = reached.size();
  const SessionCore& first = links_.front()->link.core();
  statistics.first_sequence = first.first_sequence();
  if (first.state() == SessionState::kRefused) statistics.refused = first.refuse_reason();
  const std::scoped_lock lock(statistics_mutex_);
  statistics_ = statistics;
}

ProducerStatistics ProducerLoop::statistics() const {
  const std::scoped_lock lock(statistics_mutex_);
  ProducerStatistics statistics = statistics_;
  statistics.messages_held = messages_.messages();
  return statistics;
}

}  // namespace penstock::client
