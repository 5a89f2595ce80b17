// Sessions over networks that lose, double and reorder, with nodes that crash and forget: thousands
// of seeds, each another storm.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tests/lib/sanitized.h"
#include "tests/unit/dataplane/client/session_world.h"

namespace penstock::client {
namespace {

using test::FakeNodeOptions;
using test::NetworkOptions;
using test::SessionWorld;

constexpr std::uint64_t kSeeds = ::penstock::test::kSanitized ? 200 : 2'000;

struct Storm {
  SessionOptions session;
  FakeNodeOptions node;
  NetworkOptions network;
  bool crashes = false;
  bool forgets = false;
  bool rejects = false;
  bool purges = false;
};

Storm storm_of(Rng& rng) {
  Storm storm;
  storm.session.name = std::as_bytes(std::span("storm", 5));
  storm.session.level = static_cast<pdp::Level>(1 + rng.below(3));
  storm.session.frames = 8 + rng.below(60);
  storm.session.batch.subjects_max = 1 + rng.below(4);
  storm.session.batch.messages_per_frame_max = static_cast<std::uint32_t>(1 + rng.below(40));
  storm.session.linger_ns = static_cast<std::int64_t>(rng.below(3)) * kNanosPerMilli;
  storm.session.silence_ns = 2 * kNanosPerSecond;
  if (rng.chance(300'000)) storm.session.message_timeout_ns = kNanosPerSecond;
  if (rng.chance(300'000)) {
    storm.session.key_name = storm.node.key_name = "k";
    storm.session.key.fill(std::byte{7});
    storm.node.key = storm.session.key;
  }
  storm.node.window_messages = 60 + rng.below(2000);
  storm.node.credit_bytes = static_cast<std::uint32_t>(10'000 + rng.below(200'000));
  storm.network.lost_per_million = static_cast<std::uint32_t>(rng.below(250'000));
  storm.network.doubled_per_million = static_cast<std::uint32_t>(rng.below(200'000));
  storm.network.delay_ns = static_cast<std::int64_t>(10'000 + rng.below(2'000'000));
  storm.network.jitter_ns = static_cast<std::int64_t>(rng.below(3'000'000));
  if (rng.chance(300'000)) storm.network.datagram_bytes_max = 1252 + rng.below(3000);
  // What a node acknowledged below durable it may forget.
  storm.crashes = storm.session.level == pdp::Level::kDurable && rng.chance(400'000);
  storm.forgets = rng.chance(300'000);
  storm.rejects = rng.chance(300'000);
  storm.purges = rng.chance(100'000);
  return storm;
}

void weather(SessionWorld& world, const Storm& storm, Rng& rng) {
  if (storm.crashes && rng.chance(30'000)) world.node.crash();
  if (storm.forgets && rng.chance(30'000)) world.node.forget_connections();
  if (storm.purges && rng.chance(20'000)) world.core->purge(rng.chance(500'000));
  if (rng.chance(20'000)) world.network.datagram_bytes_max = 1252 + rng.below(8000);
  world.node_is_there = !rng.chance(20'000);
}

// All that was acknowledged is stored once, in the order of its subject; what failed may be.
void judge(SessionWorld& world) {
  ASSERT_EQ(world.reports.size(), world.subjects.size());
  std::set<std::uint64_t> stored;
  std::map<std::string, std::uint64_t> last;
  for (const std::uint64_t number : world.stored_numbers()) {
    ASSERT_TRUE(stored.insert(number).second) << "twice: " << number;
    const auto [at, is_first] = last.emplace(world.subjects[number], number);
    if (!is_first) {
      ASSERT_LT(at->second, number) << "out of order";
      at->second = number;
    }
  }
  for (const auto& [number, report] : world.reports) {
    if (report.outcome == Outcome::kAcknowledged) {
      ASSERT_TRUE(stored.contains(number)) << number;
    } else if (!report.may_be_stored) {
      ASSERT_FALSE(stored.contains(number)) << number;
    }
  }
}

void run_storm(std::uint64_t seed) {
  Rng rng(seed);
  const Storm storm = storm_of(rng);
  SessionWorld world(storm.session, storm.node, storm.network, seed);
  world.core->open(world.now, Path::kAnother);
  const std::uint64_t messages = 50 + rng.below(1500);
  while (world.subjects.size() < messages) {
    std::string subject = "s." + std::to_string(rng.below(4));
    if (storm.rejects && rng.chance(20'000)) subject = "reject.me";
    bool has_room = true;
    for (std::uint64_t i = rng.below(40); i > 0 && has_room; --i) {
      has_room =
          world.append(subject, rng.chance(950'000) ? 16 + rng.below(200) : 16 + rng.below(1100));
    }
    weather(world, storm, rng);
    world.run_for(static_cast<std::int64_t>(rng.below(has_room ? 2'000'000 : 20'000'000)));
  }
  world.node_is_there = true;
  world.network.lost_per_million = std::min(world.network.lost_per_million, 100'000U);
  world.core->close();
  ASSERT_TRUE(
      world.run_until([&] { return world.saw(SessionEvent::kClosed); }, 600 * kNanosPerSecond))
      << world.core->held_messages() << " held";
  judge(world);
  EXPECT_EQ(world.node.over_limit, 0U);
  const SessionStatistics statistics = world.core->statistics();
  for (std::size_t drop = 0; drop < pdp::kFrameFaults; ++drop)
    EXPECT_EQ(statistics.drops[drop], 0U);
}

TEST(SessionStormTest, EachMessageIsStoredOnceInOrderWhateverTheNetworkDoes) {
  std::uint64_t first = 1;
  std::uint64_t count = kSeeds;
  if (const char* seeds = std::getenv("PENSTOCK_SEEDS")) {
    const std::string text(seeds);
    first = std::stoull(text);
    count = std::stoull(text.substr(text.find(':') + 1));
  }
  std::uint64_t seed = first;
  for (; seed < first + count && !HasFailure(); ++seed) {
    SCOPED_TRACE("PENSTOCK_SEEDS=" + std::to_string(seed) + ":1");
    run_storm(seed);
  }
  std::printf("FIGURE name=pdp_client_storms cases=%llu failed=%d\n",
              static_cast<unsigned long long>(seed - first), HasFailure() ? 1 : 0);
}

}  // namespace
}  // namespace penstock::client
