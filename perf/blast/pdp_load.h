// Producers' sessions that are loaded with numbered messages, flat out or at a rate, on one port.
//
// At a rate each message has the time at which it should be sent; its latency counts from there
// to when its report came, however late it could be sent: a node that stalls is not asked less
// (no coordinated omission). Flat out it counts from when the session took the message.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/rng.h"
#include "dataplane/client/session_core.h"
#include "dataplane/client_dpdk/client_port.h"
#include "perf/blast/message_source.h"
#include "perf/blast/options.h"

namespace penstock::blast {

struct LoadResult {
  std::uint64_t messages = 0;  // taken by sessions
  std::uint64_t message_bytes = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t sent_only = 0;  // without acknowledgements
  std::uint64_t failed = 0;     // reported as neither
  std::uint64_t unreported = 0;
  std::uint64_t lost = 0;  // by the node's count
  std::uint64_t frames_sent = 0;
  std::uint64_t frames_resent = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t sessions_open = 0;
  double opening_seconds = 0;  // until all sessions were open
  double sending_seconds = 0;  // from the first message to the last one that was sent
  double seconds = 0;          // from the first message to the last report
  std::string problem;         // empty: none
};

// One thread.
class PdpLoad final : public client::ClientPortListener {
 public:
  PdpLoad(const Options& options, const pdp::ProducerKey& key, client::ClientPort& port);
  ~PdpLoad() override;
  PdpLoad(const PdpLoad&) = delete;
  PdpLoad& operator=(const PdpLoad&) = delete;

  // Opens all, loads them, closes all. `stop` ends the loading early.
  LoadResult run(const volatile bool& stop);
  [[nodiscard]] const Histogram& latencies() const { return latencies_; }

  void on_datagram(std::size_t session, std::span<const std::byte> datagram) override;

 private:
  struct Session;
  [[nodiscard]] std::unique_ptr<Session> make_session(std::size_t index,
                                                      const pdp::ProducerKey& key);
  void open_some();
  void turn();
  void activate(Session& session);
  void send();
  [[nodiscard]] bool send(Session& session);
  void append_flat_out();
  void append_due(std::uint64_t due);
  [[nodiscard]] std::uint64_t time_due(std::uint64_t message) const;
  [[nodiscard]] bool append_to(Session& session, std::uint64_t messages, bool has_times);
  void reported(const client::DeliveryReport& report);
  void record(std::span<const std::uint64_t> times);
  [[nodiscard]] bool open_all(const volatile bool& stop);
  void load(const volatile bool& stop);
  void close_all();
  [[nodiscard]] bool is_stuck();
  void tell_progress();
  void sum_up();

  const Options& options_;
  client::ClientPort& port_;
  SystemClock clock_;
  Rng rng_;
  std::array<std::byte, 12> name_{};
  MessageSource source_;
  std::uint64_t messages_max_;
  double interval_ns_;  // between messages; 0: flat out
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<MonotonicNanos> deadlines_;  // of the sessions, side by side: all are swept
  std::vector<std::uint32_t> active_;      // to be polled
  std::array<client::PlainMessage, MessageSource::kAhead> batch_{};  // by the source's places
  std::array<client::SessionCore::Datagram, client::ClientPort::kBurst> datagrams_{};
  std::size_t swept_ = 0;
  std::size_t filling_ = 0;
  std::size_t begun_ = 0;  // sessions that were told to open
  std::size_t open_ = 0;
  std::size_t closed_ = 0;
  MonotonicNanos now_;
  MonotonicNanos start_;
  MonotonicNanos moved_at_;  // something was reported or opened
  MonotonicNanos told_at_;
  std::uint64_t told_messages_ = 0;
  MonotonicNanos reported_at_;
  std::uint64_t reported_ = 0;
  LoadResult result_;
  Histogram latencies_;
};

}  // namespace penstock::blast
