#include "dataplane/client/producer_config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace penstock::client {
namespace {

constexpr std::size_t kSocketsMax = 64;

std::unexpected<Error> bad(std::string_view name, std::string_view value, std::string_view right) {
  return fail(Errc::kInvalidArgument,
              std::string(name) + " = \"" + std::string(value) + "\": " + std::string(right));
}

struct Bounds {
  double min;
  double max;
  double unit = 1;  // what one of it is worth
};

std::string number_text(double number) {
  std::string text = std::to_string(number);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

template <class T>
Result<> set_number(std::string_view name, std::string_view value, const Bounds& bounds, T& to) {
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  const bool is_number = error == std::errc() && end == value.data() + value.size();
  if (!is_number || !(number >= bounds.min && number <= bounds.max)) {
    return bad(name, value,
               "a number from " + number_text(bounds.min) + " to " + number_text(bounds.max));
  }
  to = static_cast<T>(std::llround(number * bounds.unit));
  return {};
}

Result<> set_text(std::string_view name, std::string_view value, std::size_t bytes_max,
                  std::string& to) {
  if (value.empty() || value.size() > bytes_max) {
    return bad(name, value, "a text of 1 to " + std::to_string(bytes_max) + " bytes");
  }
  to = value;
  return {};
}

Result<> set_endpoints(std::string_view name, std::string_view value, std::vector<Endpoint>& to) {
  std::vector<Endpoint> endpoints;
  std::string_view rest = value;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    std::string_view one = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    auto endpoint = parse_endpoint(one);
    if (!endpoint) return std::unexpected(endpoint.error());
    endpoints.push_back(std::move(*endpoint));
  }
  if (endpoints.empty()) return bad(name, value, "HOST:PORT, and more of them behind commas");
  to = std::move(endpoints);
  return {};
}

Result<> set_level(std::string_view name, std::string_view value, pdp::Level& to) {
  struct Word {
    std::string_view text;
    pdp::Level level;
  };
  constexpr std::array<Word, 7> words = {
      {{"none", pdp::Level::kNone},
       {"received", pdp::Level::kReceived},
       {"written", pdp::Level::kWritten},
       {"durable", pdp::Level::kDurable},
       {"0", pdp::Level::kNone},
       {"all", pdp::Level::kDurable},
       {"-1", pdp::Level::kDurable}}
  };
  for (const Word& word : words) {
    if (word.text != value) continue;
    to = word.level;
    return {};
  }
  return bad(name, value, "none, received, written or durable");
}

Result<> set_sockets(std::string_view name, std::string_view value, std::size_t& to) {
  if (value == "auto") {
    to = 0;
    return {};
  }
  if (!set_number(name, value, {1, kSocketsMax}, to)) {
    return bad(name, value, "auto, or a number from 1 to " + std::to_string(kSocketsMax));
  }
  return {};
}

using Setter = Result<> (*)(ProducerConfig&, std::string_view name, std::string_view value);
struct Setting {
  std::string_view name;
  Setter set;
};

constexpr double kMilliNs = 1e6;
constexpr double kDayMs = 86'400'000;

// Lengths beyond what a frame can have mean the longest: configurations of others say a million.
constexpr std::array kSettings = std::to_array<Setting>({
    {"bootstrap.servers",            [](ProducerConfig& c, std::string_view n,
     std::string_view v) { return set_endpoints(n, v, c.endpoints); }                          },
    {"client.id",                    [](ProducerConfig& c, std::string_view n,
     std::string_view v) { return set_text(n, v, 32, c.client_id); }                           },
    {"acks",                         [](ProducerConfig& c, std::string_view n,
     std::string_view v) { return set_level(n, v, c.level); }                                  },
    {"linger.ms",
     [](ProducerConfig& c,                                 std::string_view n, std::string_view v) {
       return set_number(n, v, {0, 900'000, kMilliNs}, c.linger_ns);
     }           },
    {"batch.size",
     [](ProducerConfig& c,                                 std::string_view n, std::string_view v) {
       auto set = set_number(n, v, {pdp::kSmallFrameBytesMax, 2147483647}, c.frame_bytes_max);
       c.frame_bytes_max = std::min(c.frame_bytes_max, pdp::kFrameBytesMax);
       return set;
     }           },
    {"batch.num.messages",
     [](ProducerConfig& c,                                 std::string_view n, std::string_view v) {
       auto set = set_number(n, v, {1, 1'000'000}, c.messages_per_frame_max);
       constexpr auto most =
           static_cast<std::uint32_t>(pdp::kFrameBytesMax / sizeof(MessageHeader));
       c.messages_per_frame_max = std::min(c.messages_per_frame_max, most);
       return set;
     }           },
    {"queue.buffering.max.messages",
     [](ProducerConfig& c,                                 std::string_view n, std::string_view v) {
       return set_number(n, v, {1, 10'000'000}, c.queue_messages_max);
     }           },
    {"queue.buffering.max.kbytes",
     [](ProducerConfig& c,                                 std::string_view n,
     std::string_view v) { return set_number(n, v, {32, 4'194'304, kKiB}, c.queue_bytes_max); }},
    {"message.timeout.ms",
     [](ProducerConfig& c,                                 std::string_view n,
     std::string_view
            v) { return set_number(n, v, {0, kDayMs, kMilliNs}, c.message_timeout_ns); }       },
    {"session.name",                 [](ProducerConfig& c, std::string_view n,
     std::string_view v) { return set_text(n, v, 56, c.session_name); }                        },
    {"session.sockets",              [](ProducerConfig& c, std::string_view n,
     std::string_view v) { return set_sockets(n, v, c.sockets); }                              },
    {"session.open.subjects",
     [](ProducerConfig& c,                                 std::string_view n,
     std::string_view v) { return set_number(n, v, {1, 256}, c.open_subjects); }               },
    {"key.name",                     [](ProducerConfig& c, std::string_view n,
     std::string_view v) { return set_text(n, v, pdp::kNameBytesMax, c.key_name); }            },
    {"key.file",                     [](ProducerConfig& c, std::string_view n,
     std::string_view v) { return set_text(n, v, 4096, c.key_file); }                          },
    {"socket.send.buffer.bytes",
     [](ProducerConfig& c,                                 std::string_view n,
     std::string_view v) { return set_number(n, v, {4096, 1 << 30U}, c.send_buffer_bytes); }   },
    {"socket.receive.buffer.bytes",
     [](ProducerConfig& c,                                 std::string_view n,
     std::string_view v) { return set_number(n, v, {4096, 1 << 30U}, c.receive_buffer_bytes); }},
});

// How many letters have to change to make one of the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

Result<> ProducerConfig::set(std::string_view name, std::string_view value) {
  const auto found = std::ranges::find(kSettings, name, &Setting::name);
  if (found != kSettings.end()) return found->set(*this, name, value);
  const auto nearest = std::ranges::min_element(
      kSettings, {}, [&](const Setting& setting) { return distance(setting.name, name); });
  return fail(Errc::kInvalidArgument, "no setting is called \"" + std::string(name) +
                                          "\"; the nearest is " + std::string(nearest->name));
}

Result<> ProducerConfig::check() const {
  if (endpoints.empty()) {
    return fail(Errc::kInvalidArgument, "bootstrap.servers is missing: HOST:PORT of a node");
  }
  if (key_name.empty() != key_file.empty()) {
    return fail(Errc::kInvalidArgument, "key.name and key.file are set together or not at all");
  }
  if (message_timeout_ns != 0 && linger_ns >= message_timeout_ns) {
    const auto ms = [](std::int64_t ns) { return number_text(static_cast<double>(ns) / kMilliNs); };
    return fail(Errc::kInvalidArgument,
                "linger.ms = " + ms(linger_ns) + " is not below message.timeout.ms = " +
                    ms(message_timeout_ns) + ": messages would fail while they wait for others");
  }
  return {};
}

std::vector<std::string_view> producer_setting_names() {
  std::vector<std::string_view> names;
  for (const Setting& setting : kSettings) names.push_back(setting.name);
  return names;
}

}  // namespace penstock::client
