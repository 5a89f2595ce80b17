// A datagram of several fragments, put together: the one place where bytes are copied before the
// block.

#include "base/check.h"
#include "perf/micro/counted.h"
#include "perf/micro/packets.h"

namespace penstock::micro {
namespace {

constexpr std::size_t kPiece = 1480;

std::vector<Packet> fragments(std::size_t payload) {
  const std::string datagram = udp_over_ipv4(text(payload));
  std::vector<Packet> packets;
  for (std::size_t at = 0; at < datagram.size(); at += kPiece) {
    const std::string piece = datagram.substr(at, kPiece);
    rte_ipv4_hdr header = ipv4_header(piece.size());
    const bool more = at + kPiece < datagram.size();
    header.fragment_offset =
        htons(static_cast<std::uint16_t>(at / 8 | (more ? RTE_IPV4_HDR_MF_FLAG : 0U)));
    packets.emplace_back(ethernet(RTE_ETHER_TYPE_IPV4) + with_checksum(header) + piece);
  }
  return packets;
}

void fragments_joined(benchmark::State& state) {
  FrameDecoder decoder(frame_options());
  std::vector<Packet> packets = fragments(size_of(state));
  Datagram datagram;
  for (auto _ : state) {
    Verdict last;
    for (Packet& packet : packets) {
      rte_mbuf* in = packet.hand_out();
      last = decoder.decode(in, UnixNanos(1), datagram);
    }
    CHECK_EQ(last.packets, packets.size());
    benchmark::DoNotOptimize(datagram);
  }
  count(state, {.items = packets.size(), .bytes = size_of(state)});
}
BENCHMARK(fragments_joined)->Arg(4096)->Arg(32768);

}  // namespace
}  // namespace penstock::micro
