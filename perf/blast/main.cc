// penstock-blast: the load generator. Its own process on a DPDK port.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include <fmt/format.h>
#include <rte_ethdev.h>

#include "dataplane/port/eal.h"
#include "perf/blast/generator.h"

namespace {

using penstock::blast::Options;
using penstock::blast::Sent;

volatile bool stop_asked = false;

void ask_to_stop(int /*signal*/) { stop_asked = true; }

int complain(const penstock::Error& error) {
  fmt::print(stderr, "penstock-blast: {}\n", error.what);
  return 1;
}

// A receiver that starts later than we do is waited for, at most this long.
bool wait_for_link(penstock::Port& port) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (port.device_gauges().link_up == 0) {
    if (stop_asked || std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
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

penstock::EalOptions eal_options(const Options& options) {
  penstock::EalOptions eal;
  eal.program = "penstock-blast";
  eal.file_prefix = options.file_prefix;
  eal.memory_bytes = 128ULL << 20U;
  eal.main_core = options.core;
  eal.devices = {options.device};
  return eal;
}

int blast(const Options& options) {
  auto eal = penstock::start_eal(eal_options(options));
  if (!eal) return complain(eal.error());
  int code = 0;
  {
    const std::uint32_t frame = std::max<std::uint32_t>(options.size + 1, options.packed) + 42;
    auto port = penstock::start_dpdk_port({.name = "blast",
                                           .device = options.device,
                                           .mtu = std::max<std::uint32_t>(1500, frame - 14),
                                           .buffers = 2048 + 1024});
    if (!port) return complain(port.error());
    auto templates = penstock::blast::make_templates(options, (*port)->facts().ethernet_address);
    if (!templates) return complain(templates.error());
    if (options.wait_for_link && !wait_for_link(**port)) {
      fmt::print(stderr, "penstock-blast: the link of {} stays down; is the receiver there?\n",
                 options.device);
      return 1;
    }
    penstock::blast::Generator generator(options, std::move(*templates), (*port)->queue(0));
    const Sent sent = generator.run(stop_asked);
    if (!sent.stuck) std::this_thread::sleep_for(std::chrono::duration<double>(options.linger));
    report(options, sent);
    if (sent.stuck) {
      fmt::print(stderr, "penstock-blast: gave up: the receiver takes no packets any more\n");
      code = 1;
    }
  }
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = penstock::blast::parse_options(argc, argv);
  if (parsed.exit_code) return *parsed.exit_code;
  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);
  return blast(parsed.options);
}
