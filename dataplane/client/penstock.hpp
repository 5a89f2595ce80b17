// The C++ interface of Penstock's producer library: a thin shell around penstock.h, so that a
// program stays compatible with later versions of the library. Header only.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock.h"

namespace penstock {

// A setting or a producer that cannot be: what() names it and the way out.
class SettingError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// Settings by the names of penstock.producer(5).
class Conf {
 public:
  Conf() : conf_(penstock_conf_new(), penstock_conf_destroy) {
    if (!conf_) throw std::bad_alloc();
  }
  Conf& set(const std::string& name, const std::string& value) {
    char why[256] = "";
    if (penstock_conf_set(conf_.get(), name.c_str(), value.c_str(), why, sizeof why) !=
        PENSTOCK_OK) {
      throw SettingError(why);
    }
    return *this;
  }
  [[nodiscard]] penstock_conf_t* get() const { return conf_.get(); }

 private:
  std::unique_ptr<penstock_conf_t, void (*)(penstock_conf_t*)> conf_;
};

// Called by poll(), flush(), close(), the destructor, and by a produce() that waits for room: on
// the thread that calls these, by one at a time. It must not throw, and may produce, which never
// waits then; poll(), flush() and close() do nothing there.
using ReportFunction = std::function<void(const penstock_report_t&)>;

// One of Producer::produce_batch(), which copies the bytes: until then they belong to the caller.
inline penstock_batch_message_t batch_message(std::string_view payload, std::string_view key = {},
                                              void* opaque = nullptr) {
  penstock_batch_message_t message{};
  message.size = sizeof message;
  message.payload = payload.data();
  message.payload_bytes = payload.size();
  message.key = key.data();
  message.key_bytes = key.size();
  message.opaque = opaque;
  return message;
}

// The settings may serve several producers: a callback is of one of them, and none stays in Conf.
class Producer {
 public:
  explicit Producer(const Conf& conf, ReportFunction on_report = {})
      : on_report_(std::make_unique<ReportFunction>(std::move(on_report))),
        producer_(nullptr, penstock_producer_destroy) {
    penstock_conf_set_report_cb(conf.get(), *on_report_ ? call : nullptr, on_report_.get());
    char why[256] = "";
    producer_.reset(penstock_producer_new(conf.get(), why, sizeof why));
    penstock_conf_set_report_cb(conf.get(), nullptr, nullptr);
    if (!producer_) throw SettingError(why);
  }
  Producer(Producer&& other) noexcept = default;
  // Ends the producer that was here as its destructor does, while its callback is there still.
  Producer& operator=(Producer&& other) noexcept {
    producer_ = std::move(other.producer_);
    on_report_ = std::move(other.on_report_);
    return *this;
  }

  // `block`: wait for room, see PENSTOCK_F_BLOCK.
  penstock_err_t produce(const std::string& subject, std::string_view payload,
                         std::string_view key = {}, void* opaque = nullptr, bool block = true) {
    penstock_message_t message{};
    message.size = sizeof message;
    message.subject = subject.c_str();
    message.payload = payload.data();
    message.payload_bytes = payload.size();
    message.key = key.data();
    message.key_bytes = key.size();
    message.opaque = opaque;
    return penstock_produce(producer_.get(), &message, block ? PENSTOCK_F_BLOCK : 0);
  }
  // Messages of one subject, made by batch_message(): their `err` says what became of each. Returns
  // how many were taken.
  std::size_t produce_batch(const std::string& subject,
                            std::vector<penstock_batch_message_t>& messages, bool block = true) {
    return penstock_produce_batch(producer_.get(), subject.c_str(), messages.data(),
                                  messages.size(), block ? PENSTOCK_F_BLOCK : 0);
  }
  int poll(std::chrono::milliseconds timeout) {
    return penstock_poll(producer_.get(), static_cast<int>(timeout.count()));
  }
  penstock_err_t flush(std::chrono::milliseconds timeout) {
    return penstock_flush(producer_.get(), static_cast<int>(timeout.count()));
  }
  penstock_err_t close(std::chrono::milliseconds timeout) {
    return penstock_close(producer_.get(), static_cast<int>(timeout.count()));
  }
  [[nodiscard]] penstock_stats_t stats() const {
    penstock_stats_t stats{};
    stats.size = sizeof stats;
    penstock_stats(producer_.get(), &stats);
    return stats;
  }
  [[nodiscard]] penstock_producer_t* get() const { return producer_.get(); }

 private:
  static void call(const penstock_report_t* report, void* self) {
    (*static_cast<ReportFunction*>(self))(*report);
  }

  std::unique_ptr<ReportFunction> on_report_;  // ends behind producer_, which calls it
  std::unique_ptr<penstock_producer_t, void (*)(penstock_producer_t*)> producer_;
};

}  // namespace penstock
