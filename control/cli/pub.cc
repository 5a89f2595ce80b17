// `penstock pub`: messages from files or standard input to a node, each acknowledged.
#include <csignal>
#include <cstdio>
#include <limits>

#include <fmt/format.h>

#include "base/clock.h"
#include "control/cli/books_json.h"
#include "control/cli/command.h"
#include "control/cli/progress.h"
#include "control/cli/pub_source.h"
#include "control/cli/table.h"
#include "dataplane/client/producer.h"

namespace penstock {
namespace {

constexpr std::int64_t kWaitMs = 20;
constexpr std::uint64_t kFailuresShown = 10;

struct PubOptions {
  std::string to = "127.0.0.1:7373";
  std::string subject;
  std::vector<std::string> files;
  std::string acks = "durable";
  bool durable = false;
  std::string session;
  bool whole = false;
  bool quiet = false;
  std::int64_t give_up_s = 0;
  std::vector<std::string> settings;
  OutputFormat format = OutputFormat::kTable;
};

volatile std::sig_atomic_t stop = 0;

std::string_view reason_of(pdp::RejectReason reason) {
  switch (reason) {
    case pdp::RejectReason::kNone: break;
    case pdp::RejectReason::kNoStream: return "no stream of the node captures the subject";
    case pdp::RejectReason::kBadSubject: return "the node takes it for no subject";
    case pdp::RejectReason::kTooLarge: return "it does not fit in a block of the node";
    case pdp::RejectReason::kCapturesFull: return "the node has too many combinations of streams";
  }
  return "the node rejects it";
}

std::string_view reason_of(pdp::RefuseReason reason) {
  switch (reason) {
    case pdp::RefuseReason::kFull: return "it has no room for another session";
    case pdp::RefuseReason::kKeyNeeded: return "a key is needed: -X key.name=NAME -X key.file=FILE";
    case pdp::RefuseReason::kKeyWrong: return "it does not know this key";
    case pdp::RefuseReason::kEnding: return "it is being drained";
    case pdp::RefuseReason::kBadField: break;
  }
  return "it does not understand this program's version of PDP";
}

std::string describe(const client::Delivery& delivery) {
  switch (delivery.outcome) {
    case client::Outcome::kRejected: return std::string(reason_of(delivery.reason));
    case client::Outcome::kExpired:
      return delivery.may_be_stored ? "not acknowledged in time; it may be stored all the same"
                                    : "not sent in time";
    case client::Outcome::kTooLarge: return "too long for a frame on the way to the node";
    case client::Outcome::kPurged:
      return delivery.may_be_stored ? "given up; it may be stored all the same" : "given up";
    case client::Outcome::kAcknowledged:
    case client::Outcome::kSent: break;
  }
  return "";
}

Result<client::ProducerConfig> config_of(const PubOptions& options) {
  client::ProducerConfig config;
  std::vector<std::pair<std::string, std::string>> settings{
      {"bootstrap.servers",  options.to                                      },
      {"acks",               options.acks                                    },
      {"client.id",          "penstock-pub"                                  },
      {"message.timeout.ms",
       std::to_string(options.session.empty() ? options.give_up_s * 1000 : 0)},
  };
  if (!options.session.empty()) {
    settings.emplace_back("session.name", options.session);
    settings.emplace_back("session.sockets", "1");
  }
  for (const std::string& setting : options.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      return fail(Errc::kInvalidArgument, fmt::format("-X {}: write NAME=VALUE", setting));
    }
    settings.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  for (const auto& [name, value] : settings) {
    if (auto set = config.set(name, value); !set) return std::unexpected(std::move(set.error()));
  }
  if (options.session.empty()) return config;
  // The node counts messages, so each line has to have the sequence that is its number.
  if (config.message_timeout_ns != 0 || config.sockets != 1) {
    return fail(
        Errc::kInvalidArgument,
        "--session goes with no other session.sockets than 1, and with --give-up instead of "
        "message.timeout.ms");
  }
  config.keeps_places = true;
  return config;
}

class Publisher final : public client::DeliveryListener {
 public:
  explicit Publisher(const PubOptions& options)
      : options_(options), source_(options.files, options.whole), progress_(!options.quiet) {}

  Result<ExitCode> run() {
    const auto config = config_of(options_);
    if (!config) return fail(config.error().code, config.error().what);
    auto producer = client::Producer::start(*config, this);
    if (!producer) return std::unexpected(std::move(producer.error()));
    producer_ = std::move(*producer);
    progressed_ = clock_.monotonic_now();
    // What came before an error is stored all the same.
    Result<> done = skip_stored();
    if (done) done = produce_all();
    const auto flushed = flush();
    if (done) done = flushed;
    producer_->close(stop == 0 && flushed ? kCloseMs : 0);
    progress_.clear();
    const ExitCode code = conclude();
    if (!done) return std::unexpected(std::move(done.error()));
    return code;
  }

  void on_delivery(const client::Delivery& delivery) override {
    switch (delivery.outcome) {
      case client::Outcome::kAcknowledged:
      case client::Outcome::kSent:
        ++delivered_;
        progressed_ = clock_.monotonic_now();
        return;
      case client::Outcome::kPurged: return;  // by our end: what is left is counted then
      default: note_failure(delivery.opaque, describe(delivery), delivery.session != 0);
    }
  }

 private:
  static constexpr std::int64_t kCloseMs = 5'000;

  struct FileBegin {
    std::uint64_t message;  // its first one, of all
    std::string name;
  };

  // Of a message of the source, from 1: FILE:LINE.
  [[nodiscard]] std::string place_of(std::uint64_t message) const {
    const auto behind = std::ranges::upper_bound(files_, message, {}, &FileBegin::message);
    const FileBegin& file = *std::prev(behind);
    return fmt::format("{}:{}", file.name, message - file.message + 1);
  }

  // `has_place`: it used up its sequence, so that a session can go on behind it.
  void note_failure(std::uint64_t message, std::string_view why, bool has_place) {
    ++failed_;
    first_failed_ = std::min(first_failed_, message);
    if (is_session() && !has_place) {
      to_do_ = fmt::format("{}: shorten it or take it out", place_of(message));
    } else if (is_session() && to_do_.empty()) {
      to_do_ = fmt::format("{}: it is left out", place_of(message));
    }
    if (stop != 0 || failed_ > kFailuresShown) return;
    progress_.clear();
    fmt::print(stderr, "penstock: {}: {}\n", place_of(message), why);
    if (failed_ == kFailuresShown) fmt::print(stderr, "penstock: further ones are only counted\n");
  }

  // A named session says how many of its messages the node has: those are not sent again.
  Result<> skip_stored() {
    if (!is_session()) return {};
    while (stop == 0) {
      const auto statistics = producer_->statistics();
      if (statistics.sessions_open > 0) {
        skip_ = statistics.first_sequence;
        is_open_ = true;
        return {};
      }
      if (auto waiting = check_node(); !waiting) return waiting;
      producer_->poll(kWaitMs);
    }
    return {};
  }

  [[nodiscard]] bool is_session() const { return !options_.session.empty(); }

  // Whether it is of use to wait for the node.
  Result<> check_node() {
    if (auto refused = check_refusal(producer_->statistics()); !refused) return refused;
    if (!is_session() || options_.give_up_s == 0) return {};
    const auto statistics = producer_->statistics();
    const MonotonicNanos now = clock_.monotonic_now();
    // Messages of a session do not fail one by one: the next would take the sequence of one that
    // was never sent.
    if (statistics.messages_held == 0 && is_open_) progressed_ = now;
    if (now - progressed_ < options_.give_up_s * kNanosPerSecond) return {};
    return fail(Errc::kIoError,
                fmt::format("nothing was acknowledged for {} seconds; the same command goes on",
                            options_.give_up_s));
  }

  // A node that will never take the session is an error; one that does not answer is waited for.
  static Result<> check_refusal(const client::ProducerStatistics& statistics) {
    if (!statistics.refused || *statistics.refused == pdp::RefuseReason::kFull ||
        *statistics.refused == pdp::RefuseReason::kEnding) {
      return {};
    }
    return fail(Errc::kPermissionDenied,
                fmt::format("the node refuses the session: {}", reason_of(*statistics.refused)));
  }

  Result<> produce_all() {
    while (stop == 0 && to_do_.empty()) {
      auto message = source_.next();
      if (!message) return std::unexpected(std::move(message.error()));
      if (message->state == PubState::kEnd) return {};
      producer_->poll(0);
      show();
      if (message->state == PubState::kNothingYet) {
        if (auto waiting = check_node(); !waiting) return waiting;
        continue;
      }
      ++taken_;
      if (message->number == 1) files_.push_back({taken_, std::string(message->file)});
      if (taken_ <= skip_) continue;
      if (auto produced = produce(*message); !produced) return produced;
    }
    return {};
  }

  Result<> produce(const PubMessage& message) {
    while (stop == 0 && to_do_.empty()) {
      const auto produced = producer_->produce(
          {.subject = options_.subject, .key = {}, .headers = {}, .payload = message.payload},
          taken_);
      if (produced == client::Produced::kQueued) return {};
      if (produced == client::Produced::kTooLarge) {
        note_failure(taken_, "longer than a frame may be, about 8.9 KB", false);
        return {};
      }
      // Of this kind is the subject, which is that of all of them.
      if (produced != client::Produced::kQueueFull) {
        return fail(Errc::kInvalidArgument,
                    fmt::format("{}:{}: {}", message.file, message.number, why_not(produced)));
      }
      if (auto waiting = check_node(); !waiting) return waiting;
      producer_->poll(kWaitMs);
      show();
    }
    return {};
  }

  Result<> flush() {
    while (stop == 0 && !producer_->flush(kWaitMs)) {
      if (auto waiting = check_node(); !waiting) return waiting;
      show();
    }
    return {};
  }

  static std::string_view why_not(client::Produced produced) {
    switch (produced) {
      case client::Produced::kBadSubject: return "the subject is none; see --subject";
      default: return name_of(produced);
    }
  }

  void show() {
    progress_.show({.messages = skip_ + delivered_,
                    .failed = failed_,
                    .bytes = source_.bytes_read(),
                    .bytes_total = source_.bytes_total()},
                   clock_.monotonic_now());
  }

  ExitCode conclude() {
    const std::uint64_t skipped = std::min(skip_, taken_);
    const std::uint64_t left = taken_ - skipped - delivered_ - failed_;
    const std::string first = failed_ == 0 ? "" : place_of(first_failed_);
    if (options_.format == OutputFormat::kJson) {
      print_json({
          {"messages",      taken_                             },
          {"acknowledged",  delivered_                         },
          {"level",         options_.acks                      },
          {"stored_before", skipped                            },
          {"failed",        failed_ + left                     },
          {"first_failed",  failed_ == 0 ? Json() : Json(first)},
          {"interrupted",   stop != 0                          }
      });
    } else if (!options_.quiet || failed_ + left > 0) {
      fmt::print(stderr, "{} messages: {} {}{}{}\n", grouped(taken_), grouped(delivered_),
                 options_.acks == "none" ? "sent" : options_.acks,
                 skipped == 0 ? "" : fmt::format(", {} stored before", grouped(skipped)),
                 failed_ + left == 0 ? "" : fmt::format(", {} failed", grouped(failed_ + left)));
      if (failed_ > 1) fmt::print(stderr, "the first that failed: {}\n", first);
    }
    if (!to_do_.empty()) {
      fmt::print(stderr, "penstock: the session ends at {}, and the same command goes on\n",
                 to_do_);
    }
    if (stop != 0) return ExitCode::kInterrupted;
    return failed_ + left == 0 ? ExitCode::kOk : ExitCode::kFailed;
  }

  const PubOptions& options_;
  PubSource source_;
  Progress progress_;
  SystemClock clock_;
  MonotonicNanos progressed_;     // something was acknowledged, or nothing had to be
  bool is_open_ = false;          // the session, once
  std::string to_do_;             // not empty: the session ends at a failed message
  std::vector<FileBegin> files_;  // that were read
  std::uint64_t taken_ = 0;       // messages of the source
  std::uint64_t skip_ = 0;        // of these, the first ones that the node has
  std::uint64_t delivered_ = 0;   // at their level
  std::uint64_t failed_ = 0;
  std::uint64_t first_failed_ = std::numeric_limits<std::uint64_t>::max();
  std::unique_ptr<client::Producer> producer_;  // the last: it reports until it is gone
};

}  // namespace

void add_pub(CLI::App& program, CommandLine& line) {
  const auto options = std::make_shared<PubOptions>();
  CLI::App* command = program.add_subcommand(
      "pub", "Sends messages from files or standard input to a node; ends when all are stored");
  command->fallthrough();
  command->add_option("files", options->files, "what to send; - or none: standard input")
      ->type_name("FILE");
  command->add_option("-t,--to", options->to, "the node, or several to choose from")
      ->type_name("HOST:PORT,...")
      ->capture_default_str();
  command->add_option("-s,--subject", options->subject, "where the messages belong")
      ->type_name("SUBJECT")
      ->required();
  command->add_option("--acks", options->acks, "wait until each message is that far")
      ->check(CLI::IsMember({"none", "received", "written", "durable"}))
      ->capture_default_str();
  command->add_flag("--durable", options->durable, "the same as --acks durable");
  command
      ->add_option("--session", options->session,
                   "a name: what the node has of it already is not sent again")
      ->type_name("NAME");
  command->add_flag("--whole", options->whole, "a file is one message, not each of its lines");
  command
      ->add_option("--give-up", options->give_up_s,
                   "seconds after which a message has failed, with --session all that are left; 0: "
                   "it is tried for ever")
      ->type_name("SECONDS")
      ->capture_default_str();
  command->add_option("-X,--set", options->settings, "a setting of the producer")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command->add_flag("-q,--quiet", options->quiet, "no progress, and no summary when all is well");
  add_format(*command, options->format);
  command->callback([&line, options] {
    line.run = [options]() -> Result<ExitCode> {
      if (options->durable) options->acks = "durable";
      std::signal(SIGINT, [](int) { stop = 1; });
      std::signal(SIGTERM, [](int) { stop = 1; });
      return Publisher(*options).run();
    };
  });
}

}  // namespace penstock
