#include "tests/sim/network.h"

#include <array>

#include "dataplane/door/pdp/wire.h"
#include "dataplane/frame/parse_datagram.h"
#include "tests/lib/packet_builder.h"
#include "tests/sim/node.h"

namespace penstock::sim {
namespace {

constexpr std::int64_t kCloggedNsMax = 400'000'000;
constexpr std::uint32_t kWithoutChecksum = 500'000;  // per million damaged packets that may be

void flip(std::span<std::byte> bytes, Rng& rng) {
  const std::size_t bit = rng.below(bytes.size() * 8);
  bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
}

// Whether nothing but the seal has to find damage.
bool is_guarded(std::span<const std::byte> datagram) {
  const auto frame = pdp::decode_frame(datagram, pdp::Sender::kProducer);
  return frame && frame->sealed && frame->header.connection != 0;
}

}  // namespace

void Network::heal() {
  options_.lost = options_.doubled = options_.damaged = options_.clogged = 0;
  clogged_until_ = MonotonicNanos(0);
}

void Network::send_to_node(std::uint16_t port, std::span<const std::byte> datagram) {
  ++counters_.sent;
  send({
      .to_node = true, .port = port, .life = 0, .datagram = {datagram.begin(), datagram.end()}
  });
}

void Network::send_from_node(const rte_mbuf& packet, std::uint64_t life) {
  const auto datagram = parse_datagram(packet, UnixNanos(0), {});
  if (!datagram) return;  // an answer of ARP or ICMP
  send({
      .to_node = false,
      .port = datagram->destination_port,
      .life = life,
      .datagram = {datagram->payload.begin(), datagram->payload.end()}
  });
}

void Network::send(const Packet& packet) {
  const MonotonicNanos now = clock_.monotonic_now();
  if (options_.clogged != 0 && rng_.chance(options_.clogged)) {
    clogged_until_ = now + static_cast<std::int64_t>(rng_.below(kCloggedNsMax));
  }
  const bool too_long = packet.datagram.size() > options_.datagram_bytes_max;
  const bool clogged = now < clogged_until_;
  if (too_long || (clogged && rng_.chance(800'000)) || rng_.chance(options_.lost)) {
    ++counters_.lost;
    return;
  }
  const int copies = rng_.chance(options_.doubled) ? 2 : 1;
  if (copies == 2) ++counters_.doubled;
  for (int i = 0; i < copies; ++i) {
    const auto jitter =
        static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(options_.jitter_ns) + 1));
    under_way_.emplace(std::max(now, clogged_until_) + options_.delay_ns + jitter, packet);
  }
}

void Network::deliver(bool node_is_there, const Receiver& receive) {
  const MonotonicNanos now = clock_.monotonic_now();
  while (!under_way_.empty() && under_way_.begin()->first <= now) {
    Packet packet = std::move(under_way_.extract(under_way_.begin()).mapped());
    if (packet.to_node) {
      if (node_is_there) feed(packet);
      continue;
    }
    if (rng_.chance(options_.damaged)) {
      ++counters_.damaged;
      const auto frame = pdp::decode_frame(packet.datagram, pdp::Sender::kNode);
      if (!frame || !frame->sealed || frame->header.connection == 0) continue;
      flip(packet.datagram, rng_);
    }
    receive(packet.port, packet.datagram, packet.life);
  }
}

void Network::feed(const Packet& packet) {
  const std::string_view payload(reinterpret_cast<const char*>(packet.datagram.data()),
                                 packet.datagram.size());
  test::UdpFields fields{.source_port = packet.port, .destination_port = kPdpPort};
  const bool damaged = rng_.chance(options_.damaged);
  const bool guarded = damaged && is_guarded(packet.datagram) && rng_.chance(kWithoutChecksum);
  if (guarded) fields.checksum = std::uint16_t{0};
  test::Bytes frame = test::ethernet({}, test::ipv4({}, test::udp(fields, payload)));
  if (damaged) {
    ++counters_.damaged;
    const std::size_t head = guarded ? frame.size() - packet.datagram.size() : 14;
    flip(std::span(frame).subspan(head), rng_);
  }
  static_cast<void>(queue_.feed(pool_.packet(frame)));
}

MonotonicNanos Network::next() const {
  return under_way_.empty() ? MonotonicNanos(std::numeric_limits<std::int64_t>::max())
                            : under_way_.begin()->first;
}

}  // namespace penstock::sim
