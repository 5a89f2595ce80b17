// A shard with time to spare leaves its queues alone for a moment after a few packets.
#include <gtest/gtest.h>

#include "storage/ring/io_ring_linux.h"
#include "storage/volume/device_null.h"
#include "tests/lib/log_fixture.h"
#include "tests/lib/packet_builder.h"
#include "tests/lib/packet_pool.h"
#include "tests/sim/node.h"
#include "tests/sim/traffic.h"

namespace penstock::sim {
namespace {

constexpr std::int64_t kCoalesceNs = 10'000;

class Coalesce : public testing::Test {
 protected:
  Coalesce() {
    const NodeGround ground{clock_, rng_, queue_, oracle_, folder_.path() + "/ledger"};
    NodeOptions options;
    options.coalesce_ns = kCoalesceNs;
    options.observed = false;
    node_ = Node::start(ground, options, make_null_volume_device(), make_io_ring_null()).value();
    node_->step_keeper();
  }
  void feed(int packets) {
    const auto frame =
        test::ethernet({}, test::ipv4({}, test::udp({.destination_port = kLinePort}, "a line")));
    for (int i = 0; i < packets; ++i) queue_.feed(pool_.packet(frame));
  }

  TestFolder folder_;
  test::PacketPool pool_;
  SimClock clock_;
  Rng rng_{1};
  SimQueue queue_{1024};
  Oracle oracle_;
  std::unique_ptr<Node> node_;
};

TEST_F(Coalesce, AFewPacketsAreFollowedByAPauseAndTheFirstIsTakenAtOnce) {
  feed(1);
  node_->step_shard();
  EXPECT_EQ(queue_.received(), 1U) << "nobody waits for more";
  feed(3);
  node_->step_shard();
  clock_.advance(kCoalesceNs - 1);
  node_->step_shard();
  EXPECT_EQ(queue_.received(), 1U);
  clock_.advance(1);
  node_->step_shard();
  EXPECT_EQ(queue_.received(), 4U) << "all that came meanwhile";
}

TEST_F(Coalesce, AQueueThatHasManyIsTakenOnAndOn) {
  feed(256);
  for (int turn = 0; turn < 4; ++turn) node_->step_shard();
  EXPECT_EQ(queue_.received(), 256U);
}

TEST_F(Coalesce, TheOrderlyEndTakesWhatTheQueuesHoldAtOnce) {
  feed(1);
  node_->step_shard();
  feed(5);
  node_->take_rest();
  EXPECT_EQ(queue_.received(), 6U);
}

}  // namespace
}  // namespace penstock::sim
