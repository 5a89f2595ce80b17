// A producer on the kernel's sockets, as an application links it: messages of one size and subject
// to a node, as fast as they are acknowledged as durable, or so many a second (RATE; 0: flat out).
//
//   producer HOST:PORT BYTES SECONDS [RATE [SETTING=VALUE]...]
//
// prints one JSON object: {"messages": N, "acknowledged": N, "failed": N, "frames_resent": N,
// "seconds": S, "processor_seconds": S}; the latter of all its threads.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/clock.h"
#include "dataplane/client/producer.h"
#include "perf/arguments.h"

namespace penstock {
namespace {

constexpr std::int64_t kCloseMs = 30'000;
constexpr unsigned kMessagesPerPoll = 256;

class Counts final : public client::DeliveryListener {
 public:
  void on_delivery(const client::Delivery& delivery) override {
    ++(delivery.outcome == client::Outcome::kAcknowledged ? acknowledged : failed);
  }
  std::uint64_t acknowledged = 0;
  std::uint64_t failed = 0;
};

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Result<client::ProducerConfig> config_of(std::span<char*> arguments) {
  client::ProducerConfig config;
  auto endpoint = client::parse_endpoint(arguments[1]);
  if (!endpoint) return std::unexpected(std::move(endpoint.error()));
  config.endpoints = {std::move(*endpoint)};
  for (const std::string_view setting : arguments.subspan(std::min(arguments.size(), 5UZ))) {
    const std::size_t end = std::min(setting.find('='), setting.size() - 1);
    auto set = config.set(setting.substr(0, end), setting.substr(end + 1));
    if (!set) return std::unexpected(std::move(set.error()));
  }
  return config;
}

int run(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: producer HOST:PORT BYTES SECONDS [RATE [SETTING=VALUE]...]\n");
    return 2;
  }
  auto config = config_of(std::span(argv, static_cast<std::size_t>(argc)));
  if (!config) {
    fmt::print(stderr, "producer: {}\n", config.error().what);
    return 2;
  }
  Counts counts;
  auto producer = client::Producer::start(*config, &counts);
  if (!producer) {
    fmt::print(stderr, "producer: {}\n", producer.error().what);
    return 1;
  }
  const std::vector<std::byte> payload(number_of<std::size_t>(argv[2]), std::byte{'x'});
  SystemClock clock;
  const double processor = processor_seconds();
  const MonotonicNanos start = clock.monotonic_now();
  const MonotonicNanos end = start + static_cast<std::int64_t>(number_of<double>(argv[3]) * 1e9);
  const double rate = argc > 4 ? number_of<double>(argv[4]) : 0;
  std::uint64_t messages = 0;
  for (MonotonicNanos now = start; now < end; now = clock.monotonic_now()) {
    const double due = rate > 0 ? static_cast<double>(now - start) * 1e-9 * rate
                                : std::numeric_limits<double>::max();
    auto produced = client::Produced::kQueued;
    for (unsigned i = 0; i < kMessagesPerPoll && static_cast<double>(messages) < due &&
                         produced == client::Produced::kQueued;
         ++i) {
      produced = (*producer)->produce({.subject = "perf.producer", .payload = payload}, messages);
      if (produced == client::Produced::kQueued) ++messages;
    }
    const bool waits =
        produced == client::Produced::kQueueFull || static_cast<double>(messages) >= due;
    (*producer)->poll(waits ? 1 : 0);
  }
  const bool all = (*producer)->flush(kCloseMs);
  const double seconds = static_cast<double>(clock.monotonic_now() - start) / 1e9;
  const double used = processor_seconds() - processor;
  const std::uint64_t resent = (*producer)->statistics().sessions.frames_resent;
  (*producer)->close(kCloseMs);
  fmt::print(
      "{{\"messages\": {}, \"acknowledged\": {}, \"failed\": {}, \"frames_resent\": {}, "
      "\"seconds\": {:.6f}, \"processor_seconds\": {:.6f}}}\n",
      messages, counts.acknowledged, counts.failed, resent, seconds, used);
  return all && counts.acknowledged == messages ? 0 : 1;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::run(argc, argv); }
