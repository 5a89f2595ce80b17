// Frames to datagrams, each packet alone: the plain one, and those that take the longer way.
// Checksums are verified in software.

#include "base/check.h"
#include "perf/micro/counted.h"
#include "perf/micro/packets.h"

namespace penstock::micro {
namespace {

void decode(benchmark::State& state, const std::string& frame) {
  FrameDecoder decoder(frame_options());
  Packet packet(frame);
  Datagram datagram;
  for (auto _ : state) {
    rte_mbuf* in = packet.hand_out();
    CHECK(decoder.decode(in, UnixNanos(1), datagram).fate == PacketFate::kDecoded);
    benchmark::DoNotOptimize(datagram);
  }
  count(state, {.bytes = frame.size()});
}

void frame_ipv4(benchmark::State& state) {
  decode(state, ethernet(RTE_ETHER_TYPE_IPV4) + ipv4_packet(text(size_of(state))));
}
BENCHMARK(frame_ipv4)->Arg(64)->Arg(256)->Arg(1024);

void frame_vlan(benchmark::State& state) {
  decode(state, ethernet(RTE_ETHER_TYPE_VLAN) + vlan(7, RTE_ETHER_TYPE_IPV4) +
                    ipv4_packet(text(size_of(state))));
}
BENCHMARK(frame_vlan)->Arg(256);

void frame_ipv6(benchmark::State& state) {
  decode(state, ethernet(RTE_ETHER_TYPE_IPV6) + ipv6_packet(text(size_of(state))));
}
BENCHMARK(frame_ipv6)->Arg(256);

}  // namespace
}  // namespace penstock::micro
