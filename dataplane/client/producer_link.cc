#include "dataplane/client/producer_link.h"

namespace penstock::client {
namespace {

// Until another endpoint is tried, or, where there is no other, the name is looked up again.
constexpr std::int64_t kAnswerNs = 2 * kNanosPerSecond;
constexpr std::int64_t kAnswerAloneNs = 10 * kNanosPerSecond;
constexpr std::int64_t kConnectAgainNs = kNanosPerSecond;
// Until one that refused for good is asked again, where there are others.
constexpr std::int64_t kRefusedAgainNs = 30 * kNanosPerSecond;

SessionOptions session_options(const LinkOptions& link) {
  const ProducerConfig& config = *link.config;
  SessionOptions options;
  options.name = std::as_bytes(std::span(link.session_name));
  options.suits_shard = link.suits_shard;
  options.key_name = config.key_name;
  options.key = link.key;
  options.level = config.level;
  options.frames = kFramesPerSession;
  options.batch = {.subjects_max = config.open_subjects,
                   .messages_per_frame_max = config.messages_per_frame_max};
  options.linger_ns = config.linger_ns;
  options.message_timeout_ns = config.message_timeout_ns;
  options.path.frame_bytes_max = config.frame_bytes_max;
  return options;
}

}  // namespace

ProducerLink::ProducerLink(const LinkOptions& options, SessionListener& listener, Rng& rng)
    : config_(*options.config),
      core_(session_options(options), listener, rng),
      lookup_(options.resolve),
      not_before_(config_.endpoints.size()) {}

const Endpoint& ProducerLink::target() const {
  return redirected_ ? *redirected_ : config_.endpoints[endpoint_];
}

void ProducerLink::start(std::size_t endpoint, MonotonicNanos now) {
  endpoint_ = endpoint % config_.endpoints.size();
  address_ = 0;
  connect(now);
}

void ProducerLink::change_port(MonotonicNanos now) {
  if (!connected_to_) return connect(now);
  const UdpAddress address = *connected_to_;
  disconnect(now);
  connect_to(address, now);
}

void ProducerLink::count_transport() {
  if (transport_ == nullptr) return;
  const TransportStatistics& now = transport_->statistics();
  const auto add = [](std::uint64_t& sum, std::uint64_t& seen, std::uint64_t value) {
    sum += value - seen;
    seen = value;
  };
  add(transport_sum_.calls_sent, transport_seen_.calls_sent, now.calls_sent);
  add(transport_sum_.datagrams_sent, transport_seen_.datagrams_sent, now.datagrams_sent);
  add(transport_sum_.datagrams_received, transport_seen_.datagrams_received,
      now.datagrams_received);
  add(transport_sum_.refused, transport_seen_.refused, now.refused);
  add(transport_sum_.too_long, transport_seen_.too_long, now.too_long);
  add(transport_sum_.failed, transport_seen_.failed, now.failed);
}

void ProducerLink::replace_transport(std::unique_ptr<Transport> transport) {
  count_transport();
  transport_seen_ = {};
  transport_ = std::move(transport);
  pending_begin_ = pending_end_ = 0;  // were for the other end
}

// Nothing is sent to the last node any more.
void ProducerLink::disconnect(MonotonicNanos now) {
  leaving_ = false;
  leave_ = kNever;
  knows_shard_ = false;
  connected_to_.reset();
  replace_transport(nullptr);
  core_.open(now, Path::kAnother);
  give_up_ = now + (has_others() ? kAnswerNs : kAnswerAloneNs);
}

void ProducerLink::connect(MonotonicNanos now) {
  disconnect(now);
  not_before() = now + kConnectAgainNs;
  lookup_.start(target());
  take_addresses(now);
}

void ProducerLink::take_addresses(MonotonicNanos now) {
  const auto addresses = lookup_.take();
  if (!addresses) return;
  if (*addresses) {
    connect_to((**addresses)[address_ % (*addresses)->size()], now);
  } else {
    give_up_ = now + kConnectAgainNs;
  }
}

void ProducerLink::connect_to(const UdpAddress& address, MonotonicNanos now) {
  auto transport =
      UdpTransport::connect(address, {.send_buffer_bytes = config_.send_buffer_bytes,
                                      .receive_buffer_bytes = config_.receive_buffer_bytes});
  if (!transport) {
    ++address_;
    give_up_ = now + kConnectAgainNs;
    return;
  }
  connected_to_ = address;
  replace_transport(std::move(*transport));
  core_.set_headers_bytes(transport_->headers_bytes());
  core_.open(now, Path::kAnother);
}

// Each address of an endpoint has its turn when all endpoints had theirs. Where none may be asked
// yet it is waited for the first that may, and the last one's answer is still welcome.
void ProducerLink::move_on(MonotonicNanos now) {
  const std::size_t count = config_.endpoints.size();
  give_up_ = leave_ = kNever;
  for (std::size_t step = redirected_ ? 0 : 1; step <= count; ++step) {
    const std::size_t next = (endpoint_ + step) % count;
    if (not_before_[next] > now) {
      give_up_ = std::min(give_up_, not_before_[next]);
      continue;
    }
    ++failovers_;
    redirected_.reset();
    if (endpoint_ + step >= count) ++address_;
    endpoint_ = next;
    return connect(now);
  }
}

void ProducerLink::receive(MonotonicNanos now) {
  if (transport_ == nullptr) return take_addresses(now);
  std::array<Transport::Datagram, kBatch> datagrams;
  std::size_t count = 0;
  do {
    count = transport_->receive(datagrams);
    for (std::size_t i = 0; i < count; ++i) core_.receive(datagrams[i], now);
  } while (count == datagrams.size());
}

bool ProducerLink::send(MonotonicNanos now) {
  while (true) {
    if (waits_to_send()) {
      if (transport_ == nullptr) {
        pending_begin_ = pending_end_ = 0;
        return true;
      }
      pending_begin_ += transport_->send(
          std::span(pending_).subspan(pending_begin_, pending_end_ - pending_begin_));
      if (const std::size_t bytes = transport_->take_refused_length()) {
        core_.refused_length(bytes, now);
      }
      if (waits_to_send()) return false;
      core_.sent();
    }
    pending_begin_ = 0;
    pending_end_ = core_.poll(pending_, now);
    if (pending_end_ == 0) return true;
  }
}

void ProducerLink::follow_events(MonotonicNanos now) {
  const auto saw = [&](SessionEvent event) {
    return (events_ & (1U << static_cast<unsigned>(event))) != 0;
  };
  const unsigned seen = events_;
  if (saw(SessionEvent::kOpened)) give_up_ = kNever;
  if (saw(SessionEvent::kGoAway)) go_away(now);
  if (saw(SessionEvent::kRefused)) refused(now);
  // Where there is no other, the host may have another address by now. It is told again and again.
  if (saw(SessionEvent::kSilent)) {
    give_up_ = std::min(give_up_, now + (has_others() ? 0 : kAnswerAloneNs));
  }
  events_ &= ~seen;
  if (core_.state() == SessionState::kClosed) {
    give_up_ = leave_ = kNever;
    return;
  }
  // Two nodes that redirect to each other are not followed all the time.
  const bool may_leave = !redirected_ || now >= redirect_not_before_;
  if (leaving_ && may_leave && (now >= leave_ || core_.held_messages() == 0)) leave(now);
  if (now >= give_up_) move_on(now);
}

// The session itself asks again that node which said when.
void ProducerLink::refused(MonotonicNanos now) {
  const bool says_when = core_.handshake().is_on();
  if (has_others()) {
    const bool is_ending = core_.refuse_reason() == pdp::RefuseReason::kEnding;
    MonotonicNanos again = now + (is_ending ? kConnectAgainNs : kRefusedAgainNs);
    if (says_when) again = core_.handshake().deadline();
    not_before() = std::max(not_before(), again);
    give_up_ = std::min(give_up_, now);
  } else if (!says_when) {
    give_up_ = std::min(give_up_, now + kConnectAgainNs);
  }
}

// What is under way may still be acknowledged; new messages go elsewhere.
void ProducerLink::go_away(MonotonicNanos now) {
  const GoAway& told = core_.go_away();
  auto endpoint = parse_endpoint(told.endpoint);
  if (!endpoint && config_.endpoints.size() == 1 && !redirected_) return;  // nowhere to go
  redirected_.reset();
  if (endpoint) redirected_ = std::move(*endpoint);
  leaving_ = true;
  leave_ = std::max(now, told.deadline);
  if (redirected_) leave_ = std::max(leave_, redirect_not_before_);
}

void ProducerLink::leave(MonotonicNanos now) {
  if (redirected_) {
    ++failovers_;
    connect(now);
  } else {
    move_on(now);
  }
}

MonotonicNanos ProducerLink::next_deadline() const {
  const MonotonicNanos next = std::min(give_up_, leave_);
  return waits_to_send() ? next : std::min(next, core_.next_deadline());
}

}  // namespace penstock::client
