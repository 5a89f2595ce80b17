// `penstock read`: stored messages, byte for byte, from any place, also while the node writes them.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <ctime>

#include <fmt/format.h>

#include "base/clock.h"
#include "control/cli/command.h"
#include "control/cli/merged_reader.h"
#include "control/cli/message_format.h"
#include "control/cli/snapshot.h"

namespace penstock {
namespace {

constexpr std::size_t kFlushBytes = 256 * 1024;
constexpr long kFollowPauseNs = 5'000'000;
constexpr std::uint64_t kCountMax = std::uint64_t{1} << 62U;

enum class ReadFormat : std::uint8_t { kText, kRaw, kJson };

struct ReadOptions {
  std::vector<std::string> volumes;
  LedgerPlace place;
  std::string stream;
  std::string subject;
  std::string offset = "beginning";
  std::uint64_t count = 0;  // 0: none was given
  bool follow = false;
  ReadFormat format = ReadFormat::kText;
  std::optional<std::string> custom;
};

volatile std::sig_atomic_t stop = 0;

// Writes messages to standard output and gaps where they belong.
class Printer {
 public:
  Printer(const ReadOptions& options, std::optional<MessageFormat> custom)
      : format_(options.format), custom_(std::move(custom)) {}

  void print(const Record& record, std::string_view stream, std::string_view volume) {
    if (custom_) {
      custom_->write(record, stream, buffer_);
    } else if (format_ == ReadFormat::kJson) {
      write_json(record, stream, volume, buffer_);
    } else if (format_ == ReadFormat::kRaw) {
      const auto* payload = reinterpret_cast<const char*>(record.message.payload.data());
      buffer_.append(payload, payload + record.message.payload.size());
      buffer_.push_back('\n');
    } else {
      write_text(record, for_terminal_, buffer_);
    }
    if (buffer_.size() >= kFlushBytes) flush();
  }

  void print(const Gap& gap, std::string_view volume) {
    damaged_ |= gap.kind != GapKind::kTrimmed;
    if (!custom_ && format_ == ReadFormat::kJson) return write_json(gap, volume, buffer_);
    flush();
    const std::string missing =
        gap.first == gap.next ? "messages" : fmt::format("offsets {} to {}", gap.first, gap.next);
    fmt::print(stderr, "penstock: gap in log {}: {}: {}: {}\n", gap.log, missing,
               to_string(gap.kind), gap.what);
  }

  // Damage that may hide whole segments, and so leaves no gap to be told of in its place.
  void warn(const Source& source) {
    for (const Finding& finding : source.recovered.findings) {
      if (!is_damage(finding)) continue;
      damaged_ = true;
      fmt::print(stderr, "penstock: volume {}: slot {}: {}; 'penstock verify' tells more\n",
                 source.name, finding.slot, finding.what);
    }
  }

  // False when nobody reads any more.
  bool flush() {
    good_ = good_ && std::fwrite(buffer_.data(), 1, buffer_.size(), stdout) == buffer_.size() &&
            std::fflush(stdout) == 0;
    buffer_.clear();
    return good_;
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool damaged() const { return damaged_; }

 private:
  ReadFormat format_;
  std::optional<MessageFormat> custom_;
  bool for_terminal_ = isatty(STDOUT_FILENO) != 0;
  fmt::memory_buffer buffer_;
  bool good_ = true;
  bool damaged_ = false;
};

void pause() {
  const timespec time{.tv_sec = 0, .tv_nsec = kFollowPauseNs};
  nanosleep(&time, nullptr);
}

// Looks at the ledger again and again.
class Follower {
 public:
  explicit Follower(std::string path) : path_(std::move(path)) {}

  Result<> follow(MergedReader& reader) {
    auto snapshot = take_snapshot(path_);
    if (snapshot) {
      seen_ = true;
      return reader.refresh(*snapshot);
    }
    // A node that starts anew makes its ledger anew: until it is there nothing is new.
    const Errc code = snapshot.error().code;
    const bool between = code == Errc::kUnavailable || code == Errc::kCorrupt;
    if ((seen_ && between) || code == Errc::kBusy) return {};
    return std::unexpected(std::move(snapshot.error()));
  }

 private:
  std::string path_;
  bool seen_ = false;  // there was a ledger
};

Result<ExitCode> print_all(const ReadOptions& options, MergedReader& reader,
                           std::optional<Follower> follower, Printer& printer) {
  std::uint64_t printed = 0;
  while (stop == 0 && printer.good() && (options.count == 0 || printed < options.count)) {
    auto item = reader.next();
    if (!item) return std::unexpected(std::move(item.error()));
    if (const auto* record = std::get_if<Record>(&*item)) {
      printer.print(*record, reader.stream_name(record->stream), reader.volume());
      ++printed;
    } else if (const auto* gap = std::get_if<Gap>(&*item)) {
      printer.print(*gap, reader.volume());
    } else {
      if (!follower) break;
      printer.flush();
      pause();
      if (auto followed = follower->follow(reader); !followed) {
        return std::unexpected(std::move(followed.error()));
      }
    }
  }
  if (!printer.flush()) return fail(Errc::kIoError, "standard output does not take the messages");
  // Who follows ends it so; otherwise there would have been more.
  if (stop != 0 && !options.follow) return ExitCode::kInterrupted;
  return printer.damaged() ? ExitCode::kFailed : ExitCode::kOk;
}

Result<ExitCode> read(const CommandLine& line, const ReadOptions& options) {
  std::optional<MessageFormat> custom;
  if (options.custom) {
    auto parsed = MessageFormat::parse(*options.custom);
    if (!parsed) return std::unexpected(std::move(parsed.error()));
    custom = std::move(*parsed);
  }
  std::optional<SubjectFilter> filter;
  if (!options.subject.empty()) {
    auto parsed = SubjectFilter::parse(options.subject);
    if (!parsed) return std::unexpected(std::move(parsed.error()));
    filter = std::move(*parsed);
  }
  SystemClock clock;
  const auto start = parse_read_start(options.offset, clock.unix_now());
  if (!start) return std::unexpected(start.error());
  auto sources = open_sources(line, options.volumes);
  if (!sources) return std::unexpected(std::move(sources.error()));
  const auto ledger = ledger_path_of(line, options.place);
  if (options.follow && !ledger) return std::unexpected(ledger.error());
  // What a running node has not said to be durable is not read, though it may be there already.
  std::optional<LedgerSnapshot> node;
  if (auto snapshot = ledger ? take_snapshot(*ledger) : std::unexpected(ledger.error());
      snapshot && snapshot->alive) {
    node = std::move(*snapshot);
  }
  auto reader =
      MergedReader::open(*sources, options.stream, options.follow, std::move(filter), node);
  if (!reader) return std::unexpected(std::move(reader.error()));
  if (auto sought = reader->seek(*start); !sought) {
    return std::unexpected(std::move(sought.error()));
  }
  std::signal(SIGINT, [](int) { stop = 1; });
  Printer printer(options, std::move(custom));
  for (const Source& source : *sources) printer.warn(source);
  std::optional<Follower> follower;
  if (options.follow) follower.emplace(*ledger);
  return print_all(options, *reader, std::move(follower), printer);
}

}  // namespace

void add_read(CLI::App& program, CommandLine& line) {
  static const std::map<std::string, ReadFormat> formats{
      {"text", ReadFormat::kText},
      {"raw",  ReadFormat::kRaw },
      {"json", ReadFormat::kJson}
  };
  const auto options = std::make_shared<ReadOptions>();
  CLI::App* command = program.add_subcommand("read", "Stored messages, from any place on");
  command->fallthrough();
  command->add_option("--volume", options->volumes, "directory or device; otherwise all configured")
      ->type_name("PATH");
  command->add_option("--stream", options->stream, "only this stream's messages, in its offsets")
      ->type_name("NAME");
  command->add_option("--subject", options->subject, "only subjects that match: 'syslog.*.err.>'")
      ->type_name("FILTER");
  command
      ->add_option("-o,--offset", options->offset,
                   "beginning, end, an offset, -N for the last N, @TIME (RFC 3339, seconds since "
                   "1970, or -15m)")
      ->type_name("PLACE")
      ->capture_default_str();
  command->add_option("-c,--count", options->count, "end after this many messages")
      ->check(CLI::Range(std::uint64_t{1}, kCountMax).description(""))
      ->type_name("N");
  command->add_flag("--follow", options->follow, "wait for more at the end");
  CLI::Option* format =
      command
          ->add_option_function<std::string>(
              "--format",
              [options](const std::string& name) { options->format = formats.at(name); },
              "text, raw (payloads, a newline after each), json")
          ->check(CLI::IsMember(formats).description(""))
          ->type_name("text|raw|json")
          ->default_str("text");
  command
      ->add_option("-f", options->custom,
                   "as written: %s payload, %S its length, %R the same in 4 bytes, %k key, %K its "
                   "length, %h headers, %u subject, %t stream, %p log, %o offset, %P producer, "
                   "%Q its sequence, %T ms since 1970, %N ns, \\n \\t \\xHH")
      ->type_name("FORMAT")
      ->excludes(format);
  add_ledger_place(*command, options->place);
  command->callback(
      [&line, options] { line.run = [&line, options] { return read(line, *options); }; });
}

}  // namespace penstock
