#include "dataplane/client/producer.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "dataplane/client/producer_loop.h"
#include "dataplane/door/pdp/key_ring.h"
#include "storage/format/subject.h"

namespace penstock::client {
namespace {

constexpr std::size_t kDeliveriesPerPoll = 10'000;
constexpr std::int64_t kWaitStepNs = 50 * kNanosPerMilli;
constexpr std::size_t kShortBytesMax = 0xFFFF;

Result<pdp::ProducerKey> read_key(const ProducerConfig& config) {
  if (config.key_file.empty()) return pdp::ProducerKey{};
  auto file = pdp::read_key_file(config.key_file);
  if (!file) return std::unexpected(file.error());
  const pdp::ProducerKey* key = file->keys.find(config.key_name);
  if (key == nullptr) {
    return fail(Errc::kNotFound,
                "key.name = \"" + config.key_name + "\": not in " + config.key_file);
  }
  return *key;
}

class EventDescriptor {
 public:
  EventDescriptor() : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~EventDescriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  EventDescriptor(const EventDescriptor&) = delete;
  EventDescriptor& operator=(const EventDescriptor&) = delete;
  // Negative: there is none, errno says why.
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace

struct Producer::Parts {
  Parts(const ProducerConfig& producer_config, const pdp::ProducerKey& key,
        DeliveryListener* delivery_listener, std::unique_ptr<EventDescriptor> wake)
      : config(producer_config),
        listener(delivery_listener),
        messages(config.queue_messages_max, config.queue_bytes_max),
        deliveries(config.queue_messages_max),
        wake_descriptor(std::move(wake)),
        loop(config, key, messages, listener == nullptr ? nullptr : &deliveries,
             wake_descriptor->get()) {}
  // Sets `produced` to kQueued for messages that the queue may be asked to take.
  void judge(std::span<const OfferedMessage> offered, std::span<Produced> produced) const;
  // Whether the caller is called by on_delivery().
  [[nodiscard]] bool is_reporting_here() const {
    return listener != nullptr && deliveries.is_handing_out_here();
  }

  ProducerConfig config;
  DeliveryListener* listener;
  SystemClock clock;
  MessageQueue messages;
  DeliveryQueue deliveries;
  std::unique_ptr<EventDescriptor> wake_descriptor;
  ProducerLoop loop;
  std::thread thread;
};

void Producer::Parts::judge(std::span<const OfferedMessage> offered,
                            std::span<Produced> produced) const {
  const std::size_t trailer = config.key_name.empty() ? 0 : sizeof(pdp::Trailer);
  std::string_view subject;
  bool is_valid = false;
  for (std::size_t i = 0; i < offered.size(); ++i) {
    const OutgoingMessage& message = offered[i].message;
    // Most often it is that of the message before, at the same place.
    if (message.subject.data() != subject.data() || message.subject.size() != subject.size()) {
      subject = message.subject;
      is_valid = is_valid_subject(subject);
    }
    const std::size_t bytes = message_bytes(subject.size(), message.key.size(),
                                            message.headers.size(), message.payload.size());
    if (!is_valid) {
      produced[i] = Produced::kBadSubject;
    } else if (message.key.size() > kShortBytesMax || message.headers.size() > kShortBytesMax) {
      produced[i] = Produced::kBadField;
    } else if (pdp::kDataHeadBytes + bytes + trailer > config.frame_bytes_max ||
               !messages.takes(message)) {
      produced[i] = Produced::kTooLarge;
    } else {
      produced[i] = Produced::kQueued;
    }
  }
}

Result<std::unique_ptr<Producer>> Producer::start(const ProducerConfig& config,
                                                  DeliveryListener* listener) {
  if (auto checked = config.check(); !checked) return std::unexpected(checked.error());
  const auto key = read_key(config);
  if (!key) return std::unexpected(key.error());
  auto wake = std::make_unique<EventDescriptor>();
  if (wake->get() < 0) return fail_errno(errno, "producer: eventfd");
  auto parts = std::make_unique<Parts>(config, *key, listener, std::move(wake));
  std::unique_ptr<Producer> producer(new Producer(std::move(parts)));
  // The last that can fail: nothing has to be ended for it.
  producer->parts_->thread = std::thread([loop = &producer->parts_->loop] { loop->run(); });
  return producer;
}

Producer::Producer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Producer::~Producer() { close(0); }

Produced Producer::produce(const OutgoingMessage& message, std::uint64_t opaque,
                           WhenFull when_full) {
  const OfferedMessage offered{.message = message, .opaque = opaque};
  Produced produced{};
  produce_all({&offered, 1}, {&produced, 1}, when_full);
  return produced;
}

std::size_t Producer::produce_all(std::span<const OfferedMessage> messages,
                                  std::span<Produced> produced, WhenFull when_full) {
  CHECK_EQ(messages.size(), produced.size());
  Parts& parts = *parts_;
  parts.judge(messages, produced);
  std::size_t queued = 0;
  for (std::size_t next = 0; next < messages.size();) {
    const auto rest = produced.subspan(next);
    const auto run_end =
        std::ranges::find_if(rest, [](Produced p) { return p != Produced::kQueued; });
    const auto run = static_cast<std::size_t>(run_end - rest.begin());
    const std::size_t pushed =
        parts.messages.push(messages.subspan(next, run), parts.clock.monotonic_now());
    parts.loop.wake_if_asleep();
    queued += pushed;
    if (pushed == run) {
      next += run + (run_end == rest.end() ? 0 : 1);
      continue;
    }
    next += pushed;
    const Produced refused = wait_for_room(when_full);
    if (refused != Produced::kQueued) {
      std::ranges::replace(rest.subspan(pushed), Produced::kQueued, refused);
      break;
    }
  }
  return queued;
}

// Messages make room by being reported, and this may be the only thread that could do that.
Produced Producer::wait_for_room(WhenFull when_full) {
  Parts& parts = *parts_;
  if (parts.messages.is_closed()) return Produced::kClosed;
  if (when_full == WhenFull::kFail || parts.is_reporting_here()) return Produced::kQueueFull;
  if (poll(0) == 0) {
    parts.messages.wait_for_room(kWaitStepNs, [&] { return !parts.deliveries.empty(); });
  }
  return Produced::kQueued;
}

std::size_t Producer::poll(std::int64_t timeout_ms) {
  Parts& parts = *parts_;
  if (parts.listener == nullptr || parts.is_reporting_here()) return 0;
  const auto take = [&] {
    const std::size_t taken =
        parts.deliveries.take(kDeliveriesPerPoll, [&](const Delivery& delivery) {
          parts.messages.done(1);
          parts.listener->on_delivery(delivery);
        });
    return taken;
  };
  std::size_t taken = take();
  if (taken == 0 && timeout_ms > 0) {
    parts.deliveries.wait(timeout_ms * kNanosPerMilli);
    taken = take();
  }
  return taken;
}

bool Producer::flush(std::int64_t timeout_ms) {
  Parts& parts = *parts_;
  if (parts.is_reporting_here()) return false;
  const MonotonicNanos end = parts.clock.monotonic_now() + timeout_ms * kNanosPerMilli;
  parts.loop.requests.flushing.fetch_add(1, std::memory_order_release);
  parts.loop.wake();
  while (parts.messages.messages() != 0) {
    const std::int64_t left_ns = end - parts.clock.monotonic_now();
    if (left_ns <= 0) break;
    const std::int64_t wait_ns = std::min(left_ns, kWaitStepNs);
    if (parts.listener == nullptr) {
      parts.messages.wait_for_none(wait_ns);
    } else {
      poll(std::max<std::int64_t>(wait_ns / kNanosPerMilli, 1));
    }
  }
  parts.loop.requests.flushing.fetch_sub(1, std::memory_order_release);
  if (parts.messages.messages() != 0) return false;
  // A message makes room before its callback runs, which may be in another thread.
  parts.deliveries.wait_for_taker();
  return true;
}

void Producer::purge(bool sent_too) {
  LoopRequests& requests = parts_->loop.requests;
  (sent_too ? requests.purge_all : requests.purge_unsent).store(true, std::memory_order_release);
  parts_->loop.wake();
}

bool Producer::close(std::int64_t timeout_ms) {
  Parts& parts = *parts_;
  if (parts.is_reporting_here()) return false;
  if (!parts.thread.joinable()) return true;
  const MonotonicNanos end = parts.clock.monotonic_now() + timeout_ms * kNanosPerMilli;
  parts.messages.close();
  const bool flushed = flush(timeout_ms);
  parts.loop.requests.close.store(true, std::memory_order_release);
  parts.loop.wake();
  const std::int64_t left_ns = std::max<std::int64_t>(end - parts.clock.monotonic_now(), 0);
  const bool ended = parts.loop.wait_until_ended(left_ns);
  parts.loop.requests.abandon.store(true, std::memory_order_release);
  parts.loop.wake();
  parts.thread.join();
  while (poll(0) != 0) {
  }
  return flushed && ended;
}

ProducerStatistics Producer::statistics() const { return parts_->loop.statistics(); }

std::string_view name_of(Produced produced) {
  switch (produced) {
    case Produced::kQueued: return "queued";
    case Produced::kQueueFull: return "queue_full";
    case Produced::kTooLarge: return "too_large";
    case Produced::kBadSubject: return "bad_subject";
    case Produced::kBadField: return "bad_field";
    case Produced::kClosed: return "closed";
  }
  return {};
}

}  // namespace penstock::client
