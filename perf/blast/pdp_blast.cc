#include "perf/blast/pdp_blast.h"

#include <sys/resource.h>

#include <chrono>
#include <fstream>
#include <thread>

#include <fmt/format.h>

#include "dataplane/door/pdp/key_ring.h"
#include "perf/blast/pdp_load.h"
#include "perf/blast/sender_port.h"
#include "perf/blast/target.h"

namespace penstock::blast {
namespace {

constexpr std::uint32_t kBuffers = 4096;
constexpr double kMicro = 1000;  // nanoseconds

int complain(std::string_view what) {
  fmt::print(stderr, "penstock-blast: {}\n", what);
  return 1;
}

// What the command line says of addresses and keys, judged before a device is touched.
struct Ends {
  client::ClientPortOptions port;
  pdp::ProducerKey key{};
};

std::uint32_t addresses_of(std::size_t sessions) {
  constexpr std::size_t kEach = client::ClientPort::kSessionsPerAddress;
  return static_cast<std::uint32_t>((sessions + kEach - 1) / kEach);
}

Result<Ends> ends_of(const Options& options) {
  Ends ends;
  ends.port.sessions = options.sessions + options.idle_sessions;
  const auto target = parse_target(options.to);
  if (!target) return std::unexpected(target.error());
  const auto from =
      parse_from(options.from, *target, addresses_of(ends.port.sessions), "--sessions");
  if (!from) return std::unexpected(from.error());
  ends.port.to = target->address;
  ends.port.to_port = target->port;
  ends.port.from = *from;
  ends.port.peer_reads_packets = shares_packets(options);
  if (!options.to_ethernet.empty()) {
    const auto station = parse_station(options.to_ethernet);
    if (!station) return std::unexpected(station.error());
    ends.port.to_ethernet = *station;
  }
  if (options.key_name.empty()) return ends;
  const auto file = pdp::read_key_file(options.key_file);
  if (!file) return std::unexpected(file.error());
  const pdp::ProducerKey* key = file->keys.find(options.key_name);
  if (key == nullptr) {
    return refuse_option("--key-name", options.key_name,
                         fmt::format("{} has no key of that name", options.key_file));
  }
  ends.key = *key;
  return ends;
}

// Ethernet, IP and UDP.
std::size_t head_bytes(const Options& options) { return 14 + pdp_headers_bytes(options); }

SenderNeeds needs_of(const Options& options) {
  SenderNeeds needs;
  needs.packet_bytes = head_bytes(options) + pdp_frame_bytes(options);
  needs.buffers = kBuffers;
  // With the room that DPDK keeps in front of a packet.
  needs.buffer_bytes =
      std::max<std::uint32_t>(2048, align_up(static_cast<std::uint32_t>(needs.packet_bytes), 64U));
  return needs;
}

// The most that the process had in memory, hugepages apart.
std::uint64_t resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * kKiB;
}

void print_json(const Options& options, const LoadResult& result,
                const client::ClientPortStatistics& port, const Histogram& latencies) {
  const double seconds = result.seconds > 0 ? result.seconds : 1e-9;
  const auto at = [&](double share) { return static_cast<double>(latencies.at(share)) / kMicro; };
  fmt::print(
      "{{\"messages\": {}, \"message_bytes\": {}, \"acknowledged\": {}, \"sent_only\": {}, "
      "\"failed\": {}, \"unreported\": {}, \"lost\": {}, \"packets\": {}, "
      "\"packet_bytes\": {}, \"refused\": {}, \"no_buffer\": {}, \"frames_sent\": {}, "
      "\"frames_resent\": {}, \"timeouts\": {}, \"sessions\": {}, \"resident_bytes\": {}, "
      "\"opening_seconds\": "
      "{:.6f}, \"sending_seconds\": {:.6f}, \"seconds\": {:.6f}, \"messages_per_second\": "
      "{:.0f}, \"latency_us\": {{\"count\": {}, \"p50\": {:.3f}, \"p99\": {:.3f}, "
      "\"p99.9\": {:.3f}, \"max\": {:.3f}}}}}\n",
      result.messages, result.message_bytes, result.acknowledged, result.sent_only, result.failed,
      result.unreported, result.lost, port.datagrams_sent,
      port.bytes_sent + port.datagrams_sent * head_bytes(options), port.refused, port.no_buffer,
      result.frames_sent, result.frames_resent, result.timeouts, result.sessions_open,
      resident_bytes(), result.opening_seconds, result.sending_seconds, result.seconds,
      static_cast<double>(result.acknowledged + result.sent_only) / seconds, latencies.count(),
      at(0.5), at(0.99), at(0.999), static_cast<double>(latencies.max()) / kMicro);
}

void print_text(const LoadResult& result, const Histogram& latencies) {
  const double seconds = result.seconds > 0 ? result.seconds : 1e-9;
  fmt::print(
      "sent {} messages ({} bytes) of {} sessions in {:.3f} s: {:.3f} million/s, {:.1f} MB/s\n"
      "{} acknowledged, {} sent without acknowledgement, {} failed, {} frames sent again\n",
      result.messages, result.message_bytes, result.sessions_open, result.seconds,
      static_cast<double>(result.messages) / seconds / 1e6,
      static_cast<double>(result.message_bytes) / seconds / 1e6, result.acknowledged,
      result.sent_only, result.failed, result.frames_resent);
  if (latencies.count() == 0) return;
  const auto at = [&](double share) { return static_cast<double>(latencies.at(share)) / kMicro; };
  fmt::print(
      "acknowledged after {:.1f} us (p50), {:.1f} us (p99), {:.1f} us (p99.9), {:.1f} us "
      "(most)\n",
      at(0.5), at(0.99), at(0.999), static_cast<double>(latencies.max()) / kMicro);
}

int finish(const Options& options, const LoadResult& result) {
  if (!result.problem.empty()) {
    return complain(fmt::format("gave up: {}; {} of {} messages were acknowledged", result.problem,
                                result.acknowledged, result.messages));
  }
  if (result.failed + result.unreported > 0) {
    return complain(fmt::format("{} messages failed, {} are unaccounted for", result.failed,
                                result.unreported));
  }
  return result.sessions_open == options.sessions + options.idle_sessions ? 0 : 1;
}

}  // namespace

int pdp_blast(const Options& options, const volatile bool& stop) {
  auto ends = ends_of(options);
  if (!ends) {
    complain(ends.error().what);
    return 2;
  }
  auto device = start_sender_port(options, needs_of(options), stop);
  if (!device) return complain(device.error().what);
  ends->port.ethernet = (*device)->facts().ethernet_address;
  client::ClientPort port((*device)->queue(0), ends->port);
  PdpLoad load(options, ends->key, port);
  const LoadResult result = load.run(stop);
  if (result.problem.empty()) {
    std::this_thread::sleep_for(std::chrono::duration<double>(options.linger));
  }
  options.json ? print_json(options, result, port.statistics(), load.latencies())
               : print_text(result, load.latencies());
  if (!options.histogram.empty()) {
    std::ofstream file(options.histogram);
    file << load.latencies().text(kMicro);
    if (!file.flush()) return complain(fmt::format("{}: cannot be written", options.histogram));
  }
  return finish(options, result);
}

}  // namespace penstock::blast
