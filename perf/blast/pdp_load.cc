#include "perf/blast/pdp_load.h"

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <limits>

#include <fmt/format.h>

#include "base/check.h"

namespace penstock::blast {
namespace {

constexpr std::size_t kOpeningAtOnce = 256;
constexpr std::size_t kSweptPerTurn = 64;        // sessions whose time may have come
constexpr std::uint64_t kMessagesPerTurn = 512;  // flat out: what came must not wait for long
constexpr std::size_t kSessionsPerTurn = 64;     // that are asked whether they take more
constexpr std::int64_t kPatienceNs = 10 * kNanosPerSecond;
constexpr std::size_t kIdleFrames = 1;

std::size_t messages_in_frame(const Options& options) {
  const std::size_t first = message_bytes(options.subject.size(), 0, 0, options.size);
  const std::size_t trailer = options.key_name.empty() ? 0 : sizeof(pdp::Trailer);
  const std::size_t behind = pdp_frame_bytes(options) - trailer - pdp::kDataHeadBytes - first;
  return 1 + behind / message_bytes(0, 0, 0, options.size);
}

}  // namespace

struct PdpLoad::Session final : client::SessionListener {
  Session(PdpLoad& load, std::uint32_t place, const client::SessionOptions& options)
      : owner(load), core(options, *this, load.rng_), index(place) {}

  void on_report(const client::DeliveryReport& report) override { owner.reported(report); }
  void on_event(client::SessionEvent event) override {
    using client::SessionEvent;
    if (event == SessionEvent::kOpened && !is_open) {
      is_open = true;
      ++owner.open_;
      owner.moved_at_ = owner.now_;
    }
    if (event == SessionEvent::kClosed) {
      ++owner.closed_;
      owner.moved_at_ = owner.now_;
    }
    if (event == SessionEvent::kRefused && owner.result_.problem.empty() &&
        core.state() == client::SessionState::kRefused) {
      owner.result_.problem = fmt::format("the node refuses a session: reason {} of docs/pdp.md",
                                          static_cast<unsigned>(core.refuse_reason()));
    }
  }

  PdpLoad& owner;
  client::SessionCore core;
  std::uint32_t index;
  bool is_active = false;
  bool is_open = false;
};

PdpLoad::PdpLoad(const Options& options, const pdp::ProducerKey& key, client::ClientPort& port)
    : options_(options),
      port_(port),
      rng_(Rng::from_kernel()),
      source_(options.size),
      messages_max_(options.count > 0 ? options.count : std::numeric_limits<std::uint64_t>::max()),
      interval_ns_(options.rate > 0 ? 1e9 / options.rate : 0) {
  for (std::size_t i = 0; i < batch_.size(); ++i) batch_[i].payload = source_.message_at(i);
  // Nobody has used the name: where the messages of another run ended says nothing about these.
  for (std::byte& one : name_) one = static_cast<std::byte>(rng_.next());
  const std::size_t count = options.sessions + options.idle_sessions;
  sessions_.reserve(count);
  active_.reserve(count);
  deadlines_.resize(count, client::kNever);
  for (std::size_t i = 0; i < count; ++i) sessions_.push_back(make_session(i, key));
}

PdpLoad::~PdpLoad() = default;

std::unique_ptr<PdpLoad::Session> PdpLoad::make_session(std::size_t index,
                                                        const pdp::ProducerKey& key) {
  std::array<std::byte, sizeof name_ + sizeof(std::uint32_t)> name;
  std::ranges::copy(name_, name.begin());
  store(std::span(name), name_.size(), static_cast<std::uint32_t>(index));
  const bool is_idle = index >= options_.sessions;
  const std::size_t frame_bytes = pdp_frame_bytes(options_);
  client::SessionOptions session;
  session.name = name;
  session.key_name = options_.key_name;
  session.key = key;
  session.level = options_.level;
  session.frames = is_idle ? kIdleFrames : pdp_frames(options_);
  session.batch = {
      .subjects_max = 1,
      .messages_per_frame_max = static_cast<std::uint32_t>(messages_in_frame(options_))};
  session.keeps_opaques = !is_idle;
  session.linger_ns = static_cast<std::int64_t>(options_.fill_us * 1000);
  session.path = {.headers_bytes = pdp_headers_bytes(options_),
                  .frame_bytes_first = frame_bytes,
                  .frame_bytes_max = frame_bytes};
  return std::make_unique<Session>(*this, static_cast<std::uint32_t>(index), session);
}

void PdpLoad::activate(Session& session) {
  if (session.is_active) return;
  session.is_active = true;
  active_.push_back(session.index);
}

void PdpLoad::on_datagram(std::size_t session, std::span<const std::byte> datagram) {
  sessions_[session]->core.receive(datagram, now_);
  activate(*sessions_[session]);
}

void PdpLoad::reported(const client::DeliveryReport& report) {
  reported_ += report.messages;
  moved_at_ = reported_at_ = now_;
  switch (report.outcome) {
    case client::Outcome::kAcknowledged:
      result_.acknowledged += report.messages;
      return record(report.opaques);
    case client::Outcome::kSent: result_.sent_only += report.messages; return;
    default: result_.failed += report.messages; return;
  }
}

// Times only grow. Flat out all messages of a frame have the same one, or one of two.
void PdpLoad::record(std::span<const std::uint64_t> times) {
  const auto now = static_cast<std::uint64_t>(now_ - start_);
  if (!times.empty() && times.front() == times.back()) {
    return latencies_.record(now > times.front() ? now - times.front() : 0, times.size());
  }
  for (std::size_t i = 0; i < times.size();) {
    const std::uint64_t time = times[i];
    std::uint64_t same = 1;
    while (i + same < times.size() && times[i + same] == time) ++same;
    latencies_.record(now > time ? now - time : 0, same);
    i += same;
  }
}

std::uint64_t PdpLoad::time_due(std::uint64_t message) const {
  return static_cast<std::uint64_t>(static_cast<double>(message) * interval_ns_);
}

// False: the session takes no more now. Messages that are due have their own times.
bool PdpLoad::append_to(Session& session, std::uint64_t messages, bool has_times) {
  const auto now = static_cast<std::uint64_t>(now_ - start_);
  bool took_all = true;
  while (messages > 0 && took_all) {
    const std::size_t count = std::min<std::uint64_t>(messages, source_.ahead());
    const auto batch = std::span(batch_).subspan(source_.place(), count);
    for (std::size_t i = 0; i < count; ++i) {
      batch[i].opaque = has_times ? time_due(source_.next() + i) : now;
    }
    const auto appended = session.core.append_all(options_.subject, batch, now_);
    // The command line was judged: every message fits.
    CHECK(appended.count == count || appended.outcome == client::Appended::kFull);
    took_all = appended.count == count;
    messages -= appended.count;
    source_.advance(appended.count);
  }
  activate(session);
  return took_all;
}

void PdpLoad::append_flat_out() {
  std::uint64_t left = std::min(kMessagesPerTurn, messages_max_ - source_.next());
  for (std::size_t i = 0; i < std::min(kSessionsPerTurn, options_.sessions) && left > 0; ++i) {
    const std::uint64_t before = source_.next();
    const bool took_all = append_to(*sessions_[filling_], left, false);
    left -= source_.next() - before;
    // One that takes all is filled up before it is the next one's turn.
    if (!took_all) filling_ = filling_ + 1 == options_.sessions ? 0 : filling_ + 1;
  }
}

// A frame's worth for each session in turn.
void PdpLoad::append_due(std::uint64_t due) {
  const std::uint64_t each = messages_in_frame(options_);
  due = std::min(due, messages_max_);
  for (std::size_t i = 0; i < kSessionsPerTurn && source_.next() < due; ++i) {
    static_cast<void>(append_to(*sessions_[filling_], std::min(each, due - source_.next()), true));
    filling_ = filling_ + 1 == options_.sessions ? 0 : filling_ + 1;
  }
}

// False: the device takes no more now.
bool PdpLoad::send(Session& session) {
  while (true) {
    if (port_.room() < datagrams_.size() / 2) port_.flush();
    if (port_.room() < client::kPollBatchMin) return false;
    const std::size_t room = port_.room();
    const std::size_t count = session.core.poll(std::span(datagrams_).first(room), now_);
    for (std::size_t i = 0; i < count; ++i) port_.put(session.index, datagrams_[i]);
    session.core.sent();  // copied
    if (count < room) break;
  }
  deadlines_[session.index] = session.core.next_deadline();
  return true;
}

void PdpLoad::send() {
  std::size_t done = 0;
  for (; done < active_.size(); ++done) {
    Session& session = *sessions_[active_[done]];
    if (!send(session)) break;
    session.is_active = false;
  }
  active_.erase(active_.begin(), active_.begin() + static_cast<std::ptrdiff_t>(done));
  port_.flush();
}

void PdpLoad::turn() {
  now_ = clock_.monotonic_now();
  port_.receive(now_, *this);
  for (std::size_t i = 0; i < std::min(kSweptPerTurn, sessions_.size()); ++i) {
    swept_ = swept_ + 1 >= sessions_.size() ? 0 : swept_ + 1;
    if (now_ >= deadlines_[swept_]) activate(*sessions_[swept_]);
  }
  send();
  if (options_.yield) sched_yield();
  tell_progress();
}

void PdpLoad::open_some() {
  while (begun_ < sessions_.size() && begun_ - open_ < kOpeningAtOnce) {
    Session& session = *sessions_[begun_++];
    session.core.open(now_, client::Path::kAnother);
    activate(session);
  }
}

bool PdpLoad::is_stuck() {
  if (!result_.problem.empty()) return true;
  if (now_ - moved_at_ <= kPatienceNs) return false;
  result_.problem =
      open_ < sessions_.size() ? "the node does not answer" : "the node acknowledges nothing more";
  return true;
}

bool PdpLoad::open_all(const volatile bool& stop) {
  const MonotonicNanos begun = now_ = moved_at_ = told_at_ = clock_.monotonic_now();
  while (open_ < sessions_.size()) {
    if (stop || is_stuck()) return false;
    open_some();
    turn();
  }
  result_.opening_seconds = static_cast<double>(now_ - begun) / 1e9;
  return true;
}

void PdpLoad::load(const volatile bool& stop) {
  start_ = now_ = moved_at_ = reported_at_ = clock_.monotonic_now();
  const MonotonicNanos end = options_.seconds > 0
                                 ? start_ + static_cast<std::int64_t>(options_.seconds * 1e9)
                                 : client::kNever;
  while (!stop && now_ < end && source_.next() < messages_max_) {
    if (interval_ns_ == 0) {
      append_flat_out();
    } else {
      append_due(1 + static_cast<std::uint64_t>(static_cast<double>(now_ - start_) / interval_ns_));
    }
    if (source_.next() == reported_) moved_at_ = now_;  // nothing is waited for
    turn();
    if (is_stuck()) break;
  }
  result_.sending_seconds = static_cast<double>(now_ - start_) / 1e9;
}

void PdpLoad::close_all() {
  for (const auto& session : sessions_) {
    session->core.close();
    activate(*session);
  }
  while (closed_ < sessions_.size() && !is_stuck()) turn();
}

void PdpLoad::tell_progress() {
  if (!options_.progress || now_ - told_at_ < kNanosPerSecond) return;
  std::fprintf(
      stderr, "blast: %zu sessions open, %.2f million messages/s\n", open_,
      static_cast<double>(reported_ - told_messages_) * 1e3 / static_cast<double>(now_ - told_at_));
  told_at_ = now_;
  told_messages_ = reported_;
}

void PdpLoad::sum_up() {
  result_.messages = source_.next();
  result_.message_bytes = result_.messages * options_.size;
  result_.unreported = result_.messages - reported_;
  result_.sessions_open = open_;
  result_.seconds = static_cast<double>(reported_at_ - start_) / 1e9;
  for (const auto& session : sessions_) {
    const client::SessionStatistics statistics = session->core.statistics();
    result_.frames_sent += statistics.frames_sent;
    result_.frames_resent += statistics.frames_resent;
    result_.timeouts += statistics.timeouts;
    result_.lost += statistics.lost;
  }
}

LoadResult PdpLoad::run(const volatile bool& stop) {
  if (open_all(stop)) {
    load(stop);
    close_all();
  }
  sum_up();
  return result_;
}

}  // namespace penstock::blast
