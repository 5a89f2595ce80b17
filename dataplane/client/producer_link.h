// One session of a producer with its socket: it finds a node among the endpoints, moves on to the
// next one when that does not answer, refuses or goes away, and comes back to none by force.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "dataplane/client/address_lookup.h"
#include "dataplane/client/producer_config.h"
#include "dataplane/client/session_core.h"
#include "dataplane/client/udp_transport.h"

namespace penstock::client {

inline constexpr std::size_t kFramesPerSession = 1024;

// The session's options; `index` is the link's among those of its producer.
struct LinkOptions {
  const ProducerConfig* config = nullptr;  // outlives the link
  pdp::ProducerKey key{};
  std::string session_name;
  bool suits_shard = false;
  AddressLookup::Resolve resolve = &client::resolve;
};

// One thread.
class ProducerLink {
 public:
  ProducerLink(const LinkOptions& options, SessionListener& listener, Rng& rng);

  // Looks for a node from the endpoint at that index on.
  void start(std::size_t endpoint, MonotonicNanos now);
  // Another source port to the same node: the session is opened from there.
  void change_port(MonotonicNanos now);

  // What came, and what follows from it.
  void receive(MonotonicNanos now);
  // Sends what is to be sent. False: the system takes no more now.
  bool send(MonotonicNanos now);
  // Told by the session's listener while it received or polled.
  void note(SessionEvent event) {
    events_ |= 1U << static_cast<unsigned>(event);
    // At once: what is sent next is the OPEN, and then it is too late for another port.
    if (event == SessionEvent::kCookie) knows_shard_ = true;
  }
  // Acts on what was told.
  void follow_events(MonotonicNanos now);

  [[nodiscard]] SessionCore& core() { return core_; }
  [[nodiscard]] const SessionCore& core() const { return core_; }
  // Whether new messages may go here.
  [[nodiscard]] bool takes_messages() const { return !leaving_; }
  // Whether the node said on which shard it is answering, since start() or change_port().
  [[nodiscard]] bool knows_shard() const { return knows_shard_; }
  // To wait for with poll(2), until something came: datagrams, or the node's address. -1: nothing
  // will.
  [[nodiscard]] int descriptor() const {
    return transport_ == nullptr ? lookup_.descriptor() : transport_->descriptor();
  }
  [[nodiscard]] bool waits_to_send() const { return pending_begin_ != pending_end_; }
  [[nodiscard]] MonotonicNanos next_deadline() const;
  [[nodiscard]] std::size_t endpoint() const { return endpoint_; }
  [[nodiscard]] std::uint64_t failovers() const { return failovers_; }
  [[nodiscard]] const TransportStatistics& transport_statistics() {
    count_transport();
    return transport_sum_;
  }

 private:
  [[nodiscard]] const Endpoint& target() const;
  [[nodiscard]] bool has_others() const { return config_.endpoints.size() > 1 || redirected_; }
  [[nodiscard]] MonotonicNanos& not_before() {
    return redirected_ ? redirect_not_before_ : not_before_[endpoint_];
  }
  void disconnect(MonotonicNanos now);
  void connect(MonotonicNanos now);
  void take_addresses(MonotonicNanos now);
  void connect_to(const UdpAddress& address, MonotonicNanos now);
  void refused(MonotonicNanos now);
  void move_on(MonotonicNanos now);
  void go_away(MonotonicNanos now);
  void leave(MonotonicNanos now);
  void replace_transport(std::unique_ptr<Transport> transport);
  void count_transport();

  const ProducerConfig& config_;
  SessionCore core_;
  std::unique_ptr<Transport> transport_;
  TransportStatistics transport_sum_;
  TransportStatistics transport_seen_;
  std::size_t endpoint_ = 0;
  std::size_t address_ = 0;  // of those that the endpoint's name has
  std::optional<Endpoint> redirected_;
  AddressLookup lookup_;
  std::optional<UdpAddress> connected_to_;
  // When each endpoint may be asked next, and one that others redirect to.
  std::vector<MonotonicNanos> not_before_;
  MonotonicNanos redirect_not_before_;
  MonotonicNanos give_up_ = kNever;  // when the node is thought not to answer
  MonotonicNanos leave_ = kNever;    // when a node that goes away is left at the latest
  bool leaving_ = false;
  bool knows_shard_ = false;
  unsigned events_ = 0;
  std::uint64_t failovers_ = 0;

  static constexpr std::size_t kBatch = 64;
  std::array<SessionCore::Datagram, kBatch> pending_{};
  std::size_t pending_begin_ = 0;
  std::size_t pending_end_ = 0;
};

}  // namespace penstock::client
