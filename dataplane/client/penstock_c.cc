// The C interface over the producer: penstock.h.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>

#include "base/version.h"
#include "dataplane/client/c_messages.h"
#include "dataplane/client/penstock.h"
#include "dataplane/client/producer.h"

namespace {

using penstock::client::CallersBatch;
using penstock::client::Delivery;
using penstock::client::known_copy;
using penstock::client::OfferedMessage;
using penstock::client::Outcome;
using penstock::client::Produced;
using penstock::client::Producer;
using penstock::client::ProducerConfig;
using penstock::client::view_message;
using penstock::client::WhenFull;

struct ErrorText {
  penstock_err_t err;
  const char* name;
  const char* text;
};
constexpr ErrorText kErrors[] = {
    {PENSTOCK_OK,              "OK",          "no error"                                  },
    {PENSTOCK_ERR_QUEUE_FULL,  "QUEUE_FULL",  "the producer's queue is full"              },
    {PENSTOCK_ERR_TOO_LARGE,   "TOO_LARGE",   "too long for a frame"                      },
    {PENSTOCK_ERR_BAD_SUBJECT, "BAD_SUBJECT", "the subject is none"                       },
    {PENSTOCK_ERR_BAD_FIELD,   "BAD_FIELD",   "key or headers are too long"               },
    {PENSTOCK_ERR_CLOSED,      "CLOSED",      "the producer is closed"                    },
    {PENSTOCK_ERR_TIMED_OUT,   "TIMED_OUT",   "not everything was reported in time"       },
    {PENSTOCK_ERR_INVALID,     "INVALID",     "an argument or a setting is wrong"         },
    {PENSTOCK_ERR_SYSTEM,      "SYSTEM",      "the system denies memory or a thread"      },
    {PENSTOCK_ERR_EXPIRED,     "EXPIRED",     "not acknowledged within message.timeout.ms"},
    {PENSTOCK_ERR_PURGED,      "PURGED",      "given up"                                  },
    {PENSTOCK_ERR_NO_STREAM,   "NO_STREAM",   "no stream of the node captures the subject"},
    {PENSTOCK_ERR_REJECTED,    "REJECTED",    "the node can never store it"               },
};

const ErrorText& text_of(penstock_err_t err) {
  static constexpr ErrorText kUnknown{PENSTOCK_ERR_INVALID, "UNKNOWN", "an unknown error"};
  const auto* found = std::ranges::find(kErrors, err, &ErrorText::err);
  return found == std::end(kErrors) ? kUnknown : *found;
}

void say(const char* why, char* errstr, size_t errstr_bytes) {
  if (errstr != nullptr && errstr_bytes > 0) std::snprintf(errstr, errstr_bytes, "%s", why);
}

// No exception gets into a program that may not know what one is: `denied(why)` stands for it.
template <class Call, class Denied>
auto guarded(Call call, Denied denied) noexcept -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return denied("no memory");
  } catch (const std::exception& exception) {
    return denied(exception.what());
  }
}

penstock_err_t guarded(auto call) noexcept {
  return guarded(call, [](const char*) { return PENSTOCK_ERR_SYSTEM; });
}

penstock_err_t error_of(const Delivery& delivery) {
  switch (delivery.outcome) {
    case Outcome::kAcknowledged:
    case Outcome::kSent: return PENSTOCK_OK;
    case Outcome::kExpired: return PENSTOCK_ERR_EXPIRED;
    case Outcome::kTooLarge: return PENSTOCK_ERR_TOO_LARGE;
    case Outcome::kPurged: return PENSTOCK_ERR_PURGED;
    case Outcome::kRejected: break;
  }
  switch (delivery.reason) {
    case penstock::pdp::RejectReason::kNoStream: return PENSTOCK_ERR_NO_STREAM;
    case penstock::pdp::RejectReason::kBadSubject: return PENSTOCK_ERR_BAD_SUBJECT;
    default: return PENSTOCK_ERR_REJECTED;
  }
}

penstock_err_t error_of(Produced produced) {
  switch (produced) {
    case Produced::kQueued: return PENSTOCK_OK;
    case Produced::kQueueFull: return PENSTOCK_ERR_QUEUE_FULL;
    case Produced::kTooLarge: return PENSTOCK_ERR_TOO_LARGE;
    case Produced::kBadSubject: return PENSTOCK_ERR_BAD_SUBJECT;
    case Produced::kBadField: return PENSTOCK_ERR_BAD_FIELD;
    case Produced::kClosed: return PENSTOCK_ERR_CLOSED;
  }
  return PENSTOCK_ERR_INVALID;
}

penstock_stats_t stats_of(const penstock::client::ProducerStatistics& now, size_t bytes) {
  const auto of = [&](Outcome outcome) {
    return now.sessions.outcomes[static_cast<std::size_t>(outcome)];
  };
  std::uint64_t reported = 0;
  for (const std::uint64_t outcome : now.sessions.outcomes) reported += outcome;
  const std::uint64_t good = of(Outcome::kAcknowledged) + of(Outcome::kSent);
  return {.size = std::min(bytes, sizeof(penstock_stats_t)),
          .messages = now.sessions.messages,
          .message_bytes = now.sessions.message_bytes,
          .held = now.messages_held,
          .acknowledged = good,
          .failed = reported - good,
          .frames_sent = now.sessions.frames_sent,
          .frames_resent = now.sessions.frames_resent,
          .bytes_sent = now.sessions.bytes_sent,
          .rtt_min_ns = now.sessions.rtt_min_ns,
          .rtt_smoothed_ns = now.sessions.rtt_smoothed_ns,
          .sessions_open = now.sessions_open,
          .failovers = now.failovers,
          .lost = now.sessions.lost};
}

WhenFull when_full(int flags) {
  return (flags & PENSTOCK_F_BLOCK) != 0 ? WhenFull::kBlock : WhenFull::kFail;
}

constexpr std::size_t kBatchPart = 64;  // messages that are looked at together

// The part of a batch that begins at that message. Returns how many were taken; with an error that
// those behind it have too, `rest`.
std::size_t produce_part(Producer& producer, const CallersBatch& batch, std::size_t begin,
                         const char* subject, int flags, penstock_err_t& rest) {
  // Not kept for the next call: a callback may produce while this one waits for room.
  std::vector<std::byte> headers;
  std::array<OfferedMessage, kBatchPart> offered;
  std::array<std::size_t, kBatchPart> headers_end{};
  std::array<std::size_t, kBatchPart> places{};
  std::size_t count = 0;
  const std::size_t end = std::min(batch.count(), begin + kBatchPart);
  for (std::size_t i = begin; i < end; ++i) {
    penstock_message_t message;
    const penstock_err_t err = batch.read(i, subject, message)
                                   ? view_message(message, offered[count], headers)
                                   : PENSTOCK_ERR_INVALID;
    batch.set_error(i, err);
    if (err != PENSTOCK_OK) continue;
    headers_end[count] = headers.size();
    places[count++] = i;
  }
  for (std::size_t i = 0, at = 0; i < count; at = headers_end[i++]) {
    offered[i].message.headers = std::span(headers).subspan(at, headers_end[i] - at);
  }
  std::array<Produced, kBatchPart> produced{};
  const std::size_t taken = producer.produce_all(
      std::span(offered).first(count), std::span(produced).first(count), when_full(flags));
  for (std::size_t i = 0; i < count; ++i) {
    const penstock_err_t err = error_of(produced[i]);
    batch.set_error(places[i], err);
    if (err == PENSTOCK_ERR_QUEUE_FULL || err == PENSTOCK_ERR_CLOSED) rest = err;
  }
  return taken;
}

}  // namespace

struct penstock_conf {
  ProducerConfig config;
  penstock_report_cb callback = nullptr;
  void* opaque = nullptr;
};

struct penstock_producer final : penstock::client::DeliveryListener {
  // A callback that throws all the same ends the program, here and not somewhere later.
  void on_delivery(const Delivery& delivery) noexcept override {
    const penstock_report_t report{.size = sizeof report,
                                   .err = error_of(delivery),
                                   .may_be_stored = delivery.may_be_stored ? 1 : 0,
                                   .session = delivery.session,
                                   .sequence = delivery.sequence,
                                   .opaque = std::bit_cast<void*>(delivery.opaque)};
    callback(&report, opaque);
  }
  penstock_report_cb callback = nullptr;
  void* opaque = nullptr;
  std::unique_ptr<Producer> producer;
};

penstock_conf_t* penstock_conf_new(void) { return new (std::nothrow) penstock_conf; }
void penstock_conf_destroy(penstock_conf_t* conf) { delete conf; }

penstock_err_t penstock_conf_set(penstock_conf_t* conf, const char* name, const char* value,
                                 char* errstr, size_t errstr_bytes) {
  if (conf == nullptr || name == nullptr || value == nullptr) {
    say("settings, a name or a value are NULL", errstr, errstr_bytes);
    return PENSTOCK_ERR_INVALID;
  }
  return guarded(
      [&] {
        const auto set = conf->config.set(name, value);
        if (set) return PENSTOCK_OK;
        say(set.error().what.c_str(), errstr, errstr_bytes);
        return PENSTOCK_ERR_INVALID;
      },
      [&](const char* why) {
        say(why, errstr, errstr_bytes);
        return PENSTOCK_ERR_SYSTEM;
      });
}

void penstock_conf_set_report_cb(penstock_conf_t* conf, penstock_report_cb callback, void* opaque) {
  if (conf == nullptr) return;
  conf->callback = callback;
  conf->opaque = opaque;
}

penstock_producer_t* penstock_producer_new(const penstock_conf_t* conf, char* errstr,
                                           size_t errstr_bytes) {
  if (conf == nullptr) {
    say("the settings are NULL", errstr, errstr_bytes);
    return nullptr;
  }
  return guarded(
      [&]() -> penstock_producer_t* {
        auto made = std::make_unique<penstock_producer>();
        made->callback = conf->callback;
        made->opaque = conf->opaque;
        auto started =
            Producer::start(conf->config, conf->callback == nullptr ? nullptr : made.get());
        if (!started) {
          say(started.error().what.c_str(), errstr, errstr_bytes);
          return nullptr;
        }
        made->producer = std::move(*started);
        return made.release();
      },
      [&](const char* why) -> penstock_producer_t* {
        say(why, errstr, errstr_bytes);
        return nullptr;
      });
}

void penstock_producer_destroy(penstock_producer_t* producer) { delete producer; }

penstock_err_t penstock_produce(penstock_producer_t* producer, const penstock_message_t* message,
                                int flags) {
  penstock_message_t known;
  if (producer == nullptr || !known_copy(message, known)) return PENSTOCK_ERR_INVALID;
  return guarded([&] {
    // Not kept for the next call: a callback may produce while this one waits for room.
    std::vector<std::byte> headers;
    OfferedMessage offered;
    const penstock_err_t err = view_message(known, offered, headers);
    if (err != PENSTOCK_OK) return err;
    offered.message.headers = headers;
    return error_of(producer->producer->produce(offered.message, offered.opaque, when_full(flags)));
  });
}

size_t penstock_produce_batch(penstock_producer_t* producer, const char* subject,
                              penstock_batch_message_t* messages, size_t count, int flags) {
  const CallersBatch batch(messages, count);
  if (count == 0 || batch.is_none()) return 0;
  if (producer == nullptr) {
    batch.set_errors_from(0, PENSTOCK_ERR_INVALID);
    return 0;
  }
  std::size_t taken = 0;
  std::size_t next = 0;
  penstock_err_t rest = PENSTOCK_OK;
  while (next < count && rest == PENSTOCK_OK) {
    taken += guarded(
        [&] { return produce_part(*producer->producer, batch, next, subject, flags, rest); },
        [&](const char*) {
          rest = PENSTOCK_ERR_SYSTEM;
          batch.set_errors_from(next, rest);
          return std::size_t{0};
        });
    next += std::min(kBatchPart, count - next);
  }
  batch.set_errors_from(next, rest);
  return taken;
}

int penstock_poll(penstock_producer_t* producer, int timeout_ms) {
  if (producer == nullptr) return 0;
  return guarded([&] { return static_cast<int>(producer->producer->poll(timeout_ms)); },
                 [](const char*) { return 0; });
}

penstock_err_t penstock_flush(penstock_producer_t* producer, int timeout_ms) {
  if (producer == nullptr) return PENSTOCK_ERR_INVALID;
  return guarded(
      [&] { return producer->producer->flush(timeout_ms) ? PENSTOCK_OK : PENSTOCK_ERR_TIMED_OUT; });
}

void penstock_purge(penstock_producer_t* producer, int sent_too) {
  if (producer != nullptr) producer->producer->purge(sent_too != 0);
}

penstock_err_t penstock_close(penstock_producer_t* producer, int timeout_ms) {
  if (producer == nullptr) return PENSTOCK_ERR_INVALID;
  return guarded(
      [&] { return producer->producer->close(timeout_ms) ? PENSTOCK_OK : PENSTOCK_ERR_TIMED_OUT; });
}

size_t penstock_outq_len(penstock_producer_t* producer) {
  if (producer == nullptr) return 0;
  return guarded([&] { return size_t{producer->producer->statistics().messages_held}; },
                 [](const char*) { return size_t{0}; });
}

penstock_err_t penstock_stats(penstock_producer_t* producer, penstock_stats_t* stats) {
  if (producer == nullptr || stats == nullptr || stats->size < sizeof stats->size) {
    return PENSTOCK_ERR_INVALID;
  }
  return guarded([&] {
    const penstock_stats_t all = stats_of(producer->producer->statistics(), stats->size);
    std::memcpy(stats, &all, all.size);
    return PENSTOCK_OK;
  });
}

const char* penstock_err2str(penstock_err_t err) { return text_of(err).text; }
const char* penstock_err2name(penstock_err_t err) { return text_of(err).name; }
const char* penstock_version_str(void) { return penstock::kVersion.data(); }
