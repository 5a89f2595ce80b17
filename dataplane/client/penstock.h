/* The C interface of Penstock's producer library. Names are those that users of librdkafka know.
 *
 * A producer has a thread of its own. Messages go in by penstock_produce() and
 * penstock_produce_batch() from any thread; what became of each is reported by the callback. It is
 * called by penstock_poll(), penstock_flush(), penstock_close(), penstock_producer_destroy() and
 * calls that produce and wait for room, on the thread that calls these, by one at a time. Each
 * produced message is reported exactly once.
 *
 * Structures begin with their size, to be set by the caller to sizeof: a later version of the
 * library that knows more fields takes the shorter one of an older program. Manual pages:
 * libpenstock(3).
 */
#pragma once

/* NOLINTBEGIN(readability-identifier-naming): names as C libraries have them */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PENSTOCK_API __attribute__((visibility("default")))

typedef enum penstock_err_e {
  PENSTOCK_OK = 0,
  /* of penstock_produce() and other calls */
  PENSTOCK_ERR_QUEUE_FULL = 1, /* wait for reports, or produce with PENSTOCK_F_BLOCK */
  PENSTOCK_ERR_TOO_LARGE = 2,  /* of a report: for what the path to the node takes */
  PENSTOCK_ERR_BAD_SUBJECT = 3,
  PENSTOCK_ERR_BAD_FIELD = 4, /* key or headers longer than 65,535 bytes */
  PENSTOCK_ERR_CLOSED = 5,
  PENSTOCK_ERR_TIMED_OUT = 6, /* not everything was reported in time */
  PENSTOCK_ERR_INVALID = 7,   /* an argument or a setting */
  PENSTOCK_ERR_SYSTEM = 8,    /* the system denies memory or a thread */
  /* of a report */
  PENSTOCK_ERR_EXPIRED = 16,   /* message.timeout.ms */
  PENSTOCK_ERR_PURGED = 17,    /* given up by the caller, or by destroying the producer */
  PENSTOCK_ERR_NO_STREAM = 18, /* no stream of the node captures the subject */
  PENSTOCK_ERR_REJECTED = 19,  /* the node can never store it for another reason */
} penstock_err_t;

typedef struct penstock_conf penstock_conf_t;
typedef struct penstock_producer penstock_producer_t;

typedef struct penstock_header_s {
  const char* name;
  const void* value;
  size_t value_bytes;
} penstock_header_t;

typedef struct penstock_message_s {
  size_t size;         /* sizeof(penstock_message_t) */
  const char* subject; /* "app.web.error" */
  const void* payload;
  size_t payload_bytes;
  const void* key; /* may be NULL */
  size_t key_bytes;
  const penstock_header_t* headers; /* may be NULL */
  size_t header_count;
  void* opaque; /* comes back with the report */
} penstock_message_t;

/* One of penstock_produce_batch(). */
typedef struct penstock_batch_message_s {
  size_t size; /* sizeof(penstock_batch_message_t), the same in all of a batch */
  const void* payload;
  size_t payload_bytes;
  const void* key; /* may be NULL */
  size_t key_bytes;
  const penstock_header_t* headers; /* may be NULL */
  size_t header_count;
  void* opaque;       /* comes back with the report */
  penstock_err_t err; /* set by the call: PENSTOCK_OK, it was taken and will be reported */
} penstock_batch_message_t;

typedef struct penstock_report_s {
  size_t size;
  penstock_err_t err; /* PENSTOCK_OK: it is at the level of `acks` */
  int may_be_stored;  /* with an error: it was sent, and the node may have taken it */
  uint64_t session;   /* number of the session */
  uint64_t sequence;  /* of the message in it */
  void* opaque;
} penstock_report_t;

/* It must not throw or destroy the producer. It may produce, which never waits then;
 * penstock_poll(), penstock_flush() and penstock_close() do nothing in it.
 */
typedef void (*penstock_report_cb)(const penstock_report_t* report, void* opaque);

typedef struct penstock_stats_s {
  size_t size;
  uint64_t messages;      /* taken into sessions */
  uint64_t message_bytes; /* payloads */
  uint64_t held;          /* produced and not reported */
  uint64_t acknowledged;
  uint64_t failed;
  uint64_t frames_sent; /* each copy */
  uint64_t frames_resent;
  uint64_t bytes_sent;
  uint64_t rtt_min_ns;
  uint64_t rtt_smoothed_ns;
  uint64_t sessions_open;
  uint64_t failovers;
  uint64_t lost; /* messages that never came, as the node counts: fire and forget */
} penstock_stats_t;

/* No call throws. What is needed and NULL is PENSTOCK_ERR_INVALID where a call returns an error;
 * the others do nothing and return 0 or NULL. */

/* ---- Settings: penstock.producer(5) lists them all ---- */
/* NULL: no memory. */
PENSTOCK_API penstock_conf_t* penstock_conf_new(void);
PENSTOCK_API void penstock_conf_destroy(penstock_conf_t* conf);
/* What is wrong is written to errstr, which may be NULL. */
PENSTOCK_API penstock_err_t penstock_conf_set(penstock_conf_t* conf, const char* name,
                                              const char* value, char* errstr, size_t errstr_bytes);
/* Without a callback nothing is reported. */
PENSTOCK_API void penstock_conf_set_report_cb(penstock_conf_t* conf, penstock_report_cb callback,
                                              void* opaque);

/* ---- Producer ---- */
/* The settings are copied. NULL: errstr says why. */
PENSTOCK_API penstock_producer_t* penstock_producer_new(const penstock_conf_t* conf, char* errstr,
                                                        size_t errstr_bytes);
/* Gives up at once what is not reported; penstock_close() before it waits. */
PENSTOCK_API void penstock_producer_destroy(penstock_producer_t* producer);

/* Wait for room instead of PENSTOCK_ERR_QUEUE_FULL. A message takes room until it is reported, so
 * what is known is reported meanwhile: a program needs no other thread that polls, and must not
 * hold a lock that its callback takes. A node that is away makes no room, message.timeout.ms does.
 */
#define PENSTOCK_F_BLOCK 1

/* Takes a copy of the message. */
PENSTOCK_API penstock_err_t penstock_produce(penstock_producer_t* producer,
                                             const penstock_message_t* message, int flags);
/* Messages of one subject in their order, each as by penstock_produce(), and quicker: `err` of each
 * says what became of it; returns how many were taken. One that is wrong holds none up. Without
 * PENSTOCK_F_BLOCK, the first that finds no room and all behind it are PENSTOCK_ERR_QUEUE_FULL.
 */
PENSTOCK_API size_t penstock_produce_batch(penstock_producer_t* producer, const char* subject,
                                           penstock_batch_message_t* messages, size_t count,
                                           int flags);
/* Reports what is known, waiting for something at most that long. Returns how many. */
PENSTOCK_API int penstock_poll(penstock_producer_t* producer, int timeout_ms);
/* Until everything is reported: PENSTOCK_OK or PENSTOCK_ERR_TIMED_OUT. */
PENSTOCK_API penstock_err_t penstock_flush(penstock_producer_t* producer, int timeout_ms);
/* Gives up messages, those that were not sent yet or (sent_too) all; they are reported. */
PENSTOCK_API void penstock_purge(penstock_producer_t* producer, int sent_too);
/* Takes no more messages and ends its sessions in order. One thread, the last but for destroy. */
PENSTOCK_API penstock_err_t penstock_close(penstock_producer_t* producer, int timeout_ms);
/* Messages that were produced and not reported. */
PENSTOCK_API size_t penstock_outq_len(penstock_producer_t* producer);
/* stats->size has to be set. */
PENSTOCK_API penstock_err_t penstock_stats(penstock_producer_t* producer, penstock_stats_t* stats);

PENSTOCK_API const char* penstock_err2str(penstock_err_t err);  /* for people */
PENSTOCK_API const char* penstock_err2name(penstock_err_t err); /* "QUEUE_FULL" */
PENSTOCK_API const char* penstock_version_str(void);            /* "0.1.0", of the library */

#ifdef __cplusplus
}
#endif
/* NOLINTEND(readability-identifier-naming) */
