#include "tests/sim/traffic.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace penstock::sim {
namespace {

constexpr std::uint32_t kLost = 20'000;  // per million packets each
constexpr std::uint32_t kRepeated = 20'000;
constexpr std::uint32_t kOvertaken = 20'000;
constexpr std::uint32_t kDamaged = 20'000;
constexpr std::uint32_t kCut = 10'000;
constexpr std::uint32_t kFragmented = 10'000;
constexpr std::uint32_t kNoise = 10'000;
constexpr std::uint32_t kBroken = 20'000;
constexpr std::size_t kBufferBytes = 1500;  // longer packets are chained
constexpr std::size_t kFragmentBytes = 1400;

constexpr std::string_view kSources[]{"10.0.0.9", "10.0.0.77", "192.0.2.200"};

test::Bytes frame_of(const test::Layer& udp, std::string_view source = kSources[0]) {
  return test::ethernet({}, test::ipv4({.source = source}, udp));
}

// What a line's sender's address makes of its subject.
std::string line_subject(std::string_view source) {
  std::string subject = fmt::format("lines.{}", source);
  std::ranges::replace(subject.begin() + 6, subject.end(), '.', '_');
  return subject;
}

}  // namespace

Traffic::Traffic(Rng& rng, Oracle& oracle, test::PacketPool& pool, SimQueue& queue)
    : rng_(rng), oracle_(oracle), pool_(pool), queue_(queue) {}

std::string Traffic::message(std::string_view head, std::size_t filler, Meant meant) {
  const std::uint64_t number = oracle_.next_number();
  meant.text = fmt::format("{}{}{:016x} ", head, kNumberMark, number);
  meant.text.append(filler, static_cast<char>('a' + number % 26));
  oracle_.know(meant);
  return meant.text;
}

Traffic::Sent Traffic::syslog() {
  constexpr std::array kApps{"sshd", "cron", "postgres", "kernel", "haproxy"};
  constexpr std::array kFacilities{"kern",   "user",   "mail",   "daemon", "auth",     "syslog",
                                   "lpr",    "news",   "uucp",   "cron",   "authpriv", "ftp",
                                   "ntp",    "audit",  "alert",  "clock",  "local0",   "local1",
                                   "local2", "local3", "local4", "local5", "local6",   "local7"};
  constexpr std::array kSeverities{"emerg",   "alert",  "crit", "err",
                                   "warning", "notice", "info", "debug"};
  const std::uint64_t facility = rng_.below(kFacilities.size());
  const std::uint64_t severity = rng_.below(kSeverities.size());
  const std::uint64_t host = rng_.below(40);
  const std::string_view app = kApps[rng_.below(kApps.size())];
  const std::string head =
      fmt::format("<{}>1 2023-11-14T22:13:20Z db{} {} - - - ", facility * 8 + severity, host, app);
  const StreamMask errors = std::string_view(kSeverities[severity]) == "err" ? bit(kErrors) : 0;
  const std::uint64_t number = oracle_.next_number();
  const std::string text =
      message(head, rng_.below(900),
              {.subject = fmt::format("syslog.{}.{}.db{}.{}", kFacilities[facility],
                                      kSeverities[severity], host, app),
               .streams = static_cast<StreamMask>(bit(kLogs) | errors)});
  return {frame_of(test::udp({.destination_port = kSyslogPort}, text)), {number}};
}

// Kept as it came, and marked.
Traffic::Sent Traffic::broken_syslog() {
  const std::uint64_t number = oracle_.next_number();
  const std::string text = message("<999>", rng_.below(300),
                                   {.subject = "syslog.user.notice.-.-",
                                    .streams = bit(kLogs),
                                    .flags = MessageFlag::kMalformed});
  return {frame_of(test::udp({.destination_port = kSyslogPort}, text)), {number}};
}

Traffic::Sent Traffic::lines(std::uint16_t port) {
  Sent sent;
  std::string text;
  const std::string_view source = kSources[rng_.below(std::size(kSources))];
  const std::size_t bytes_max = rng_.chance(100'000) ? 8000 : 1300;
  do {
    if (port == kLinePort) sent.numbers.push_back(oracle_.next_number());
    text += message("", rng_.below(400), {.subject = line_subject(source), .streams = bit(kLines)});
    text += rng_.chance(500'000) ? "\n" : "\r\n";
  } while (text.size() + 450 < bytes_max && rng_.chance(900'000));
  sent.frame = frame_of(test::udp({.destination_port = port}, text), source);
  return sent;
}

void Traffic::burst() {
  for (std::uint64_t left = rng_.below(24); left > 0; --left) {
    if (rng_.chance(kFragmented)) {
      send_fragmented();
    } else if (rng_.chance(kNoise)) {
      // Nothing but a request to answer.
      feed(test::ethernet({}, test::ipv4({}, test::icmp({}, test::bytes_of("12345678")))));
    } else if (rng_.chance(500'000)) {
      send(rng_.chance(kBroken) ? broken_syslog() : syslog());
    } else {
      send(lines(rng_.chance(50'000) ? kUncapturedPort : kLinePort));
    }
  }
}

void Traffic::send(Sent sent) {
  if (rng_.chance(kLost)) return;
  if (rng_.chance(kOvertaken)) {
    held_back_.push_back(std::move(sent));
    return;
  }
  deliver(sent);
  if (rng_.chance(kRepeated)) deliver(sent);
  for (const Sent& late : held_back_) deliver(late);
  held_back_.clear();
}

// Damaged packets are counted as arrived too: no checksum covers an Ethernet address.
void Traffic::deliver(const Sent& sent) {
  test::Bytes frame = sent.frame;
  if (rng_.chance(kDamaged)) {
    const std::size_t bit = rng_.below(frame.size() * 8);
    frame[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
  }
  if (rng_.chance(kCut)) frame.resize(rng_.below(frame.size()) + 1);
  if (!feed(frame)) return;
  for (const std::uint64_t number : sent.numbers) oracle_.arrived(number);
}

void Traffic::send_fragmented() {
  const std::uint64_t number = oracle_.next_number();
  const std::string text = message("", 1500 + rng_.below(4000),
                                   {.subject = line_subject(kSources[0]), .streams = bit(kLines)});
  auto fragments =
      test::fragments_v4({.source = kSources[0], .identification = identification_++},
                         test::udp({.destination_port = kLinePort}, text), kFragmentBytes);
  if (rng_.chance(500'000)) {
    std::swap(fragments[rng_.below(fragments.size())], fragments[rng_.below(fragments.size())]);
  }
  for (const test::Bytes& fragment : fragments) {
    if (!rng_.chance(kLost)) feed(fragment);
  }
  oracle_.arrived(number);
}

bool Traffic::feed(std::span<const std::byte> frame) {
  ++arrived_;
  std::vector<std::size_t> cuts;
  for (std::size_t at = kBufferBytes; at < frame.size(); at += kBufferBytes) cuts.push_back(at);
  const bool fed = queue_.feed(cuts.empty() ? pool_.packet(frame) : pool_.chained(frame, cuts));
  if (fed) oracle_.fed();
  return fed;
}

}  // namespace penstock::sim
