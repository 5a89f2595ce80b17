// penstock-blast: the load generator. Its own process on a DPDK port.

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "perf/blast/generator.h"
#include "perf/blast/pdp_blast.h"
#include "perf/blast/sender_port.h"

namespace {

using penstock::blast::Options;
using penstock::blast::PacketTemplate;
using penstock::blast::Sent;
using Ethernet = std::array<std::byte, 6>;

struct Templates {
  penstock::Result<std::vector<PacketTemplate>> whole;
  std::optional<PacketTemplate> rest;  // the last packet, when it holds fewer messages
};

volatile bool stop_asked = false;

void ask_to_stop(int /*signal*/) { stop_asked = true; }

int complain(const penstock::Error& error) {
  fmt::print(stderr, "penstock-blast: {}\n", error.what);
  return 1;
}

void report(const Options& options, const Sent& sent) {
  const double seconds = sent.seconds > 0 ? sent.seconds : 1e-9;
  if (options.json) {
    fmt::print(
        "{{\"messages\": {}, \"message_bytes\": {}, \"packets\": {}, \"packet_bytes\": {}, "
        "\"refused\": {}, \"seconds\": {:.6f}, \"messages_per_second\": {:.0f}}}\n",
        sent.messages, sent.message_bytes, sent.packets, sent.packet_bytes, sent.refused,
        sent.seconds, static_cast<double>(sent.messages) / seconds);
    return;
  }
  fmt::print(
      "sent {} messages ({} bytes) in {} packets in {:.3f} s: {:.3f} million/s, {:.1f} MB/s\n",
      sent.messages, sent.message_bytes, sent.packets, sent.seconds,
      static_cast<double>(sent.messages) / seconds / 1e6,
      static_cast<double>(sent.message_bytes) / seconds / 1e6);
}

// Both copies of the packets fit: those of the generator and those that the device may hold.
std::uint64_t memory_of(const Options& options, std::size_t packet_bytes) {
  constexpr std::uint64_t kOverhead = 512;  // of a buffer: its header, headroom and alignment
  const std::uint64_t packets = std::max<std::uint64_t>(options.sources, 4096) + 1;
  return (8ULL << 20U) + packets * (packet_bytes + kOverhead);
}

int finish(const Options& options, Sent sent, std::uint64_t device_packets) {
  const bool dropped = device_packets < sent.packets;
  report(options, sent);
  if (sent.stuck) {
    fmt::print(stderr, "penstock-blast: gave up: the receiver takes no packets any more\n");
  }
  if (dropped) {
    fmt::print(stderr,
               "penstock-blast: {} took {} packets and sent {} of them; is its frame size too "
               "small, or its link down?\n",
               options.device, sent.packets, device_packets);
  }
  return sent.stuck || dropped ? 1 : 0;
}

Templates templates_of(const Options& options, const Ethernet& from) {
  Templates made;
  const std::uint64_t each = penstock::blast::messages_each(options);
  made.whole = penstock::blast::make_templates(options, each, from);
  if (made.whole && options.count % each != 0) {
    Options one = options;
    one.sources = 1;
    made.rest = penstock::blast::make_templates(one, options.count % each, from)->front();
  }
  return made;
}

int blast(const Options& options) {
  // The command line is judged before a device is touched.
  const Templates judged = templates_of(options, Ethernet{});
  if (!judged.whole) {
    complain(judged.whole.error());
    return 2;
  }
  const std::size_t packet_bytes = judged.whole->front().bytes.size();
  auto port = penstock::blast::start_sender_port(
      options, {.packet_bytes = packet_bytes, .memory_bytes = memory_of(options, packet_bytes)},
      stop_asked);
  if (!port) return complain(port.error());
  Templates made = templates_of(options, (*port)->facts().ethernet_address);
  auto generator = penstock::blast::Generator::make(options, std::move(*made.whole),
                                                    std::move(made.rest), (*port)->queue(0));
  if (!generator) return complain(generator.error());
  const Sent sent = (*generator)->run(stop_asked);
  if (!sent.stuck) std::this_thread::sleep_for(std::chrono::duration<double>(options.linger));
  const std::uint64_t device_packets = penstock::blast::packets_of_device(options.device);
  port->reset();  // before the packets that it may hold
  return finish(options, sent, device_packets);
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = penstock::blast::parse_options(argc, argv);
  if (parsed.exit_code) return *parsed.exit_code;
  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);
  return parsed.options.pdp ? penstock::blast::pdp_blast(parsed.options, stop_asked)
                            : blast(parsed.options);
}
