#include "tests/sim/draws.h"

#include <array>

namespace penstock::sim {
namespace {

constexpr std::int64_t kMicrosecond = 1'000;

}  // namespace

bool draw_faults(Rng& rng, SimFaultRates& rates) {
  rates.write_error = static_cast<std::uint32_t>(rng.below(20'000));
  rates.short_write = static_cast<std::uint32_t>(rng.below(10'000));
  rates.flush_error = static_cast<std::uint32_t>(rng.below(20'000));
  rates.no_space = static_cast<std::uint32_t>(rng.below(100'000));
  rates.partial_submit = static_cast<std::uint32_t>(rng.below(50'000));
  const bool misdirects = rng.chance(200'000);
  if (misdirects) rates.misdirected = static_cast<std::uint32_t>(rng.below(8'000));
  return misdirects;
}

SimDriveOptions draw_drive(Rng& rng, bool& misdirects) {
  SimDriveOptions options;
  options.capacity_bytes = (8 + rng.below(16)) * kMiB;
  options.delay_ns_max = static_cast<std::int64_t>(20 + rng.below(2000)) * kMicrosecond;
  options.rates.slow = 5'000;
  if (rng.chance(600'000)) misdirects = draw_faults(rng, options.rates);
  return options;
}

NodeOptions draw_node(Rng& rng, const pdp::KeyRing& keys) {
  NodeOptions options;
  constexpr std::array<std::uint32_t, 2> kBlockBytes{16 * 1024, 32 * 1024};
  options.segment_bytes = 1 * kMiB;
  options.block_bytes = kBlockBytes[rng.below(kBlockBytes.size())];
  options.blocks = 3 + rng.below(8);
  options.queue_depth = 1 + static_cast<unsigned>(rng.below(8));
  options.linger_ns = static_cast<std::int64_t>(1 + rng.below(3000)) * kMicrosecond;
  options.durability = rng.chance(500'000) ? Durability::kSync : Durability::kFlush;
  if (rng.chance(300'000)) options.retention.max_bytes = (2 + rng.below(4)) * kMiB;
  if (rng.chance(200'000)) options.capacity_bytes = (4 + rng.below(6)) * kMiB;
  options.pdp.emplace();
  options.pdp->node.sessions = 4 + rng.below(12);
  options.pdp->node.hold_bytes = (32 + rng.below(256)) * 1024;
  options.pdp->node.credit_bytes = static_cast<std::uint32_t>((4 + rng.below(120)) * 1024);
  options.pdp->node.idle_ns = static_cast<std::int64_t>(3 + rng.below(20)) * kNanosPerSecond;
  options.pdp->node.keys = &keys;
  return options;
}

SimRingOptions draw_ring(Rng& rng) {
  SimRingOptions ring;
  ring.entries = 4 + static_cast<unsigned>(rng.below(60));
  ring.files = 3;
  return ring;
}

NetworkOptions draw_network(Rng& rng) {
  NetworkOptions options;
  if (rng.chance(700'000)) {
    options.lost = static_cast<std::uint32_t>(rng.below(rng.chance(200'000) ? 300'000 : 50'000));
    options.doubled = static_cast<std::uint32_t>(rng.below(50'000));
    options.damaged = static_cast<std::uint32_t>(rng.below(50'000));
    options.clogged = static_cast<std::uint32_t>(rng.below(1'000));
  }
  options.delay_ns = static_cast<std::int64_t>(10 + rng.below(500)) * kMicrosecond;
  options.jitter_ns = static_cast<std::int64_t>(rng.below(1000)) * kMicrosecond;
  if (rng.chance(300'000)) options.datagram_bytes_max = 1252 + rng.below(221);
  return options;
}

void draw_secrets(Rng& rng, PdpDoor& options) {
  pdp::NodeOptions& node = options.node;
  node.boot = rng.next();
  for (std::byte& byte : node.cookie_secret) byte = static_cast<std::byte>(rng.next());
  for (std::byte& byte : options.seed) byte = static_cast<std::byte>(rng.next());
}

}  // namespace penstock::sim
