#include "tests/sim/traffic.h"

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
constexpr std::size_t kBufferBytes = 1500;  // longer packets are chained
constexpr std::size_t kFragmentBytes = 1400;

test::Bytes frame_of(const test::Layer& udp) { return test::ethernet({}, test::ipv4({}, udp)); }

}  // namespace

Traffic::Traffic(Rng& rng, Oracle& oracle, test::PacketPool& pool, SimQueue& queue)
    : rng_(rng), oracle_(oracle), pool_(pool), queue_(queue) {}

std::string Traffic::message(std::string_view head, std::size_t filler) {
  const std::uint64_t number = oracle_.next_number();
  std::string text = fmt::format("{}{}{:016x} ", head, kNumberMark, number);
  text.append(filler, static_cast<char>('a' + number % 26));
  oracle_.know(text);
  return text;
}

Traffic::Sent Traffic::syslog() {
  constexpr std::array kApps{"sshd", "cron", "postgres", "kernel", "haproxy"};
  const std::string head = fmt::format("<{}>1 2023-11-14T22:13:20Z db{} {} - - - ", rng_.below(192),
                                       rng_.below(40), kApps[rng_.below(kApps.size())]);
  const std::uint64_t number = oracle_.next_number();
  const std::string text = message(head, rng_.below(900));
  return {frame_of(test::udp({.destination_port = kSyslogPort}, text)), {number}};
}

Traffic::Sent Traffic::lines(std::uint16_t port) {
  Sent sent;
  std::string text;
  const std::size_t bytes_max = rng_.chance(100'000) ? 8000 : 1300;
  do {
    if (port == kLinePort) sent.numbers.push_back(oracle_.next_number());
    text += message("", rng_.below(400));
    text += rng_.chance(500'000) ? "\n" : "\r\n";
  } while (text.size() + 450 < bytes_max && rng_.chance(900'000));
  sent.frame = frame_of(test::udp({.destination_port = port}, text));
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
      send(syslog());
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
  const std::string text = message("", 1500 + rng_.below(4000));
  auto fragments =
      test::fragments_v4({.identification = identification_++},
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
  if (frame.size() <= kBufferBytes) return queue_.feed(pool_.packet(frame));
  std::vector<std::size_t> cuts;
  for (std::size_t at = kBufferBytes; at < frame.size(); at += kBufferBytes) cuts.push_back(at);
  return queue_.feed(pool_.chained(frame, cuts));
}

}  // namespace penstock::sim
