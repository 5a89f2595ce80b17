#include "control/cli/merged_reader.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <ranges>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/config/value.h"

namespace penstock {
namespace {

template <class N>
std::optional<N> whole_number(std::string_view text) {
  N number{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return {};
  return number;
}

// "+01:00", "-03:30", "Z" or "" at the end of `text`, which is taken off: nanoseconds that the
// clock there is ahead.
std::optional<std::int64_t> take_zone(std::string_view& text) {
  if (text.ends_with('Z')) {
    text.remove_suffix(1);
    return 0;
  }
  const auto sign = text.find_first_of("+-");
  if (sign == std::string_view::npos) return 0;
  const std::string_view zone = text.substr(sign);
  text.remove_suffix(zone.size());
  if (zone.size() != 6 || zone[3] != ':') return {};
  const auto hours = whole_number<std::uint8_t>(zone.substr(1, 2));
  const auto minutes = whole_number<std::uint8_t>(zone.substr(4, 2));
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return {};
  const std::int64_t ahead = (*hours * 60 + *minutes) * 60 * kNanosPerSecond;
  return zone[0] == '-' ? -ahead : ahead;
}

// What follows the seconds of a time: "", ".5", ".123456789": nanoseconds.
std::optional<std::int64_t> parse_fraction(std::string_view text) {
  if (text.empty()) return 0;
  if (text.front() != '.' || text.size() < 2 || text.size() > 10) return {};
  std::string digits(text.substr(1));
  digits.resize(9, '0');
  return whole_number<std::uint32_t>(digits);
}

std::optional<UnixNanos> parse_time(std::string_view text, UnixNanos now) {
  if (text.starts_with('-')) {
    const auto ago = parse_duration(text.substr(1));
    if (!ago) return {};
    return UnixNanos(now.value - *ago);
  }
  if (const auto seconds = whole_number<std::uint32_t>(text)) {
    return UnixNanos(std::int64_t{*seconds} * kNanosPerSecond);
  }
  std::tm tm{};
  const std::string date(text);
  const char* rest = strptime(date.c_str(), "%Y-%m-%dT%H:%M:%S", &tm);
  if (rest == nullptr) return {};
  const std::chrono::year_month_day day{std::chrono::year(tm.tm_year + 1900),
                                        std::chrono::month(static_cast<unsigned>(tm.tm_mon + 1)),
                                        std::chrono::day(static_cast<unsigned>(tm.tm_mday))};
  std::string_view behind(rest);
  const auto zone = take_zone(behind);
  const auto fraction = parse_fraction(behind);
  if (!day.ok() || !fraction || !zone) return {};
  std::int64_t nanos = 0;
  if (__builtin_mul_overflow(std::int64_t{timegm(&tm)}, kNanosPerSecond, &nanos) ||
      __builtin_add_overflow(nanos, *fraction - *zone, &nanos)) {
    return {};
  }
  return UnixNanos(nanos);
}

LogEnd end_of(const LogEdge& edge) {
  return {.durable = BlockSequence(edge.durable_sequence),
          .slot = SlotIndex(static_cast<std::uint32_t>(edge.slot)),
          .generation = Generation(edge.generation),
          .position = static_cast<std::uint32_t>(edge.position)};
}

std::optional<LogEnd> edge_of(const LedgerSnapshot& node, const std::string& volume,
                              LogNumber log) {
  for (const AccountSnapshot& account : node.accounts) {
    if (account.kind == AccountKind::kLogEdge && account.name == volume &&
        account.shard == log.value) {
      return end_of(account.as<LogEdge>());
    }
  }
  return std::nullopt;
}

Result<> seek_one(LogReader& reader, const ReadStart& start) {
  switch (start.kind) {
    case ReadStart::Kind::kBeginning:
    case ReadStart::Kind::kLast: reader.seek_beginning(); break;
    case ReadStart::Kind::kEnd: return reader.seek_end();
    case ReadStart::Kind::kOffset: return reader.seek_offset(Offset(start.number));
    case ReadStart::Kind::kTime: return reader.seek_time(start.time);
  }
  return {};
}

}  // namespace

Result<ReadStart> parse_read_start(std::string_view text, UnixNanos now) {
  using Kind = ReadStart::Kind;
  if (text == "beginning") return ReadStart{.kind = Kind::kBeginning};
  if (text == "end") return ReadStart{.kind = Kind::kEnd};
  if (text.starts_with('@')) {
    if (const auto time = parse_time(text.substr(1), now)) {
      return ReadStart{.kind = Kind::kTime, .time = *time};
    }
  } else if (text.starts_with('-')) {
    if (const auto count = whole_number<std::uint64_t>(text.substr(1))) {
      return ReadStart{.kind = Kind::kLast, .number = *count};
    }
  } else if (const auto offset = whole_number<std::uint64_t>(text)) {
    return ReadStart{.kind = Kind::kOffset, .number = *offset};
  }
  return fail(
      Errc::kInvalidArgument,
      fmt::format("'{}' is no place to start: beginning, end, an offset, -N for the last N, "
                  "@2026-01-31T12:00:00Z, @SECONDS since 1970, or @-15m",
                  text));
}

Result<MergedReader> MergedReader::open(std::vector<Source>& sources, const std::string& stream,
                                        bool may_come, std::optional<SubjectFilter> filter,
                                        const std::optional<LedgerSnapshot>& node) {
  MergedReader merged(sources);
  merged.filter_ = std::move(filter);
  merged.learn_names();
  if (!stream.empty()) {
    merged.stream_ = stream_id(stream);
    if (!may_come && !merged.names_.contains(*merged.stream_)) {
      const auto names = std::views::values(merged.names_);
      const std::set<std::string> sorted(names.begin(), names.end());
      return fail(Errc::kNotFound, fmt::format("there is no stream '{}'; there are: {}", stream,
                                               fmt::join(sorted, ", ")));
    }
    merged.names_.emplace(*merged.stream_, stream);
  }
  for (Source& source : sources) {
    for (auto& [log, recovered] : source.recovered.logs) {
      LogEnd end = end_of(recovered);
      if (node) end = edge_of(*node, source.name, log).value_or(end);
      merged.add_input(source, log, recovered, end);
    }
  }
  return merged;
}

void MergedReader::add_input(Source& source, LogNumber log, const RecoveredLog& recovered,
                             const LogEnd& end) {
  inputs_.push_back(
      {.log = log,
       .volume = source.name,
       .reader = std::make_unique<LogReader>(*source.volume, log, stream_, recovered, end)});
}

void MergedReader::learn_names() {
  names_stale_ = false;
  for (const Source& source : *sources_) {
    for (const std::string& name : source.volume->catalogue().streams) {
      names_.emplace(stream_id(name), name);
    }
  }
}

std::string_view MergedReader::stream_name(StreamId id) {
  auto name = names_.find(id);
  if (name == names_.end() && names_stale_) {
    for (Source& source : *sources_) {
      // Only names are added to a volume: what was learned of it before stays true.
      if (auto again = open_read_only(source.volume->device().name())) {
        for (const std::string& added : (*again)->catalogue().streams) {
          names_.emplace(stream_id(added), added);
        }
      }
    }
    names_stale_ = false;
    name = names_.find(id);
  }
  return name == names_.end() ? std::string_view{} : name->second;
}

Result<> MergedReader::seek(const ReadStart& start) {
  taken_ = 0;
  start_ = start;
  if (start.kind == ReadStart::Kind::kLast) return seek_last(start.number);
  for (Input& input : inputs_) {
    input.head = AtEnd{};
    if (auto done = seek_one(*input.reader, start); !done) return done;
  }
  return {};
}

Result<> MergedReader::seek_all_last(std::uint64_t count) {
  taken_ = 0;
  for (Input& input : inputs_) {
    input.head = AtEnd{};
    if (auto done = input.reader->seek_last(count); !done) return done;
  }
  return {};
}

// Goes back further and further until enough messages pass the filter, counts them, and steps over
// those that are too many.
Result<> MergedReader::seek_last(std::uint64_t count) {
  for (std::uint64_t depth = std::max<std::uint64_t>(count, 1);; depth *= 4) {
    if (auto done = seek_all_last(depth); !done) return done;
    std::uint64_t all = 0;
    std::uint64_t passing = 0;
    while (true) {
      auto item = next_unfiltered();
      if (!item) return std::unexpected(std::move(item.error()));
      if (std::holds_alternative<AtEnd>(*item)) break;
      if (!std::holds_alternative<Record>(*item)) continue;
      ++all;
      if (passes(*item)) ++passing;
    }
    const bool everything = all < depth;  // no log had that many
    if (passing < count && !everything) continue;
    if (auto done = seek_all_last(depth); !done) return done;
    for (std::uint64_t i = count; i < passing;) {
      auto item = next();
      if (!item) return std::unexpected(std::move(item.error()));
      if (std::holds_alternative<AtEnd>(*item)) break;
      if (std::holds_alternative<Record>(*item)) ++i;
    }
    return {};
  }
}

bool MergedReader::passes(const Item& item) const {
  const auto* record = std::get_if<Record>(&item);
  return record == nullptr || !filter_ || filter_->matches(record->message.subject);
}

Result<> MergedReader::fill_heads() {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    Input& input = inputs_[i];
    if (i + 1 != taken_ && !std::holds_alternative<AtEnd>(input.head)) continue;
    auto item = input.reader->next();
    if (!item) return std::unexpected(std::move(item.error()));
    input.head = std::move(*item);
  }
  taken_ = 0;
  return {};
}

Result<Item> MergedReader::next_unfiltered() {
  if (auto filled = fill_heads(); !filled) return std::unexpected(std::move(filled.error()));
  const Record* earliest = nullptr;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (std::holds_alternative<Gap>(inputs_[i].head)) {
      taken_ = i + 1;
      return inputs_[i].head;
    }
    const auto* record = std::get_if<Record>(&inputs_[i].head);
    if (record == nullptr) continue;
    if (earliest == nullptr || record->message.received < earliest->message.received) {
      earliest = record;
      taken_ = i + 1;
    }
  }
  if (earliest == nullptr) return AtEnd{};
  return *earliest;
}

Result<Item> MergedReader::next() {
  while (true) {
    auto item = next_unfiltered();
    if (!item || passes(*item)) return item;
  }
}

Result<> MergedReader::refresh(const LedgerSnapshot& snapshot) {
  names_stale_ = true;
  for (const AccountSnapshot& account : snapshot.accounts) {
    const auto source = std::ranges::find(*sources_, account.name, &Source::name);
    if (account.kind != AccountKind::kLogEdge || source == sources_->end()) continue;
    const LogNumber log(account.shard);
    const LogEnd edge = end_of(account.as<LogEdge>());
    const auto input = std::ranges::find_if(inputs_, [&](const Input& known) {
      return known.log == log && known.volume == account.name;
    });
    if (input != inputs_.end()) {
      input->reader->refresh(edge);
    } else if (edge.durable > BlockSequence(0)) {
      add_input(*source, log, {}, edge);
      // All that it has came since: it is behind "the end", and behind "the last".
      const bool since =
          start_.kind == ReadStart::Kind::kEnd || start_.kind == ReadStart::Kind::kLast;
      auto sought = seek_one(*inputs_.back().reader, since ? ReadStart{} : start_);
      if (!sought) return sought;
    }
  }
  return {};
}

}  // namespace penstock
