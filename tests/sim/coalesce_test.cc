// A shard with time to spare leaves its queues alone for a moment after a few packets.
#include <gtest/gtest.h>

#include "dataplane/client/session_core.h"
#include "storage/ring/io_ring_linux.h"
#include "storage/volume/device_null.h"
#include "tests/lib/log_fixture.h"
#include "tests/lib/packet_builder.h"
#include "tests/lib/packet_pool.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/traffic.h"

namespace penstock::sim {
namespace {

constexpr std::int64_t kCoalesceNs = 10'000;

class Coalesce : public testing::Test {
 protected:
  explicit Coalesce(std::optional<PdpDoor> pdp = std::nullopt) {
    const NodeGround ground{clock_, rng_, queue_, oracle_, folder_.path() + "/ledger"};
    NodeOptions options;
    options.coalesce_ns = kCoalesceNs;
    options.observed = false;
    options.pdp = std::move(pdp);
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
  SimQueue queue_{1024, pool_.memory()};
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

// A producer without losses between it and the node.
class CoalesceOfProducers : public Coalesce, public client::SessionListener {
 protected:
  CoalesceOfProducers() : Coalesce(door()) {
    network_.set_options({.delay_ns = 0});
    queue_.watch([this](const rte_mbuf& packet) { network_.send_from_node(packet, 0); });
  }
  static PdpDoor door() {
    PdpDoor door;
    door.node.sessions = 4;
    door.seed.fill(std::byte{1});
    return door;
  }
  void on_report(const client::DeliveryReport& report) override { reported_ += report.messages; }
  void on_event(client::SessionEvent) override {}

  // What the producer says now is in the node's queue then, what the node said is with it.
  void exchange() {
    std::array<client::SessionCore::Datagram, client::kPollBatchMin> out;
    const std::size_t count = core_.poll(out, clock_.monotonic_now());
    for (const auto& datagram : std::span(out).first(count)) {
      network_.send_to_node(kPort, datagram);
    }
    network_.deliver(true,
                     [this](std::uint16_t, std::span<const std::byte> datagram, std::uint64_t) {
                       core_.receive(datagram, clock_.monotonic_now());
                     });
  }
  void turn() {
    exchange();
    node_->step_shard();
    exchange();
  }
  void append() {
    ASSERT_EQ(core_.append({.subject = "a.b"}, 0, clock_.monotonic_now()), client::Appended::kDone);
    core_.flush();
  }

  static constexpr std::uint16_t kPort = 40'000;
  static client::SessionOptions session() {
    client::SessionOptions options;
    options.name = std::as_bytes(std::span(std::string_view("one")));
    options.level = pdp::Level::kReceived;
    return options;
  }
  Network network_{rng_, clock_, pool_, queue_};
  client::SessionCore core_{session(), *this, rng_};
  std::uint64_t reported_ = 0;
};

TEST_F(CoalesceOfProducers, WhoWaitsForAnAcknowledgementIsHeardAtOnce) {
  clock_.advance(kNanosPerSecond);  // a node that just began answers few strangers
  core_.open(clock_.monotonic_now(), client::Path::kAnother);
  for (int i = 0; i < 10 && !core_.is_connected(); ++i) {
    clock_.advance(kCoalesceNs);
    turn();
  }
  ASSERT_TRUE(core_.is_connected());
  clock_.advance(kCoalesceNs);
  turn();
  for (std::uint64_t i = 1; i <= 5; ++i) {
    clock_.advance(1);
    append();
    turn();
    EXPECT_EQ(reported_, i);
  }
}

}  // namespace
}  // namespace penstock::sim
