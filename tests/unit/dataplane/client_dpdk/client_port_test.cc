#include "dataplane/client_dpdk/client_port.h"

#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/port/port_sim.h"
#include "storage/format/format.h"
#include "tests/lib/packet_builder.h"
#include "tests/lib/packet_pool.h"

namespace penstock::client {
namespace {

using test::Bytes;
using test::bytes_of;

constexpr std::string_view kNodeEthernet = "02:00:00:00:00:07";
constexpr std::size_t kSessions = ClientPort::kSessionsPerAddress + 2;

class ClientPortTest : public testing::Test, public ClientPortListener {
 protected:
  ClientPortTest() {
    queue_.watch([this](const rte_mbuf& packet) { sent_.push_back(test::content(packet)); });
    make({});
  }

  void make(std::optional<EthernetAddress> to_ethernet) {
    port_.emplace(queue_, ClientPortOptions{.ethernet = test::ethernet_address(test::kOurEthernet),
                                            .to_ethernet = to_ethernet,
                                            .to = test::ip("10.0.0.9"),
                                            .to_port = 7373,
                                            .from = test::ip("10.0.0.2"),
                                            .sessions = kSessions});
  }
  void on_datagram(std::size_t session, std::span<const std::byte> datagram) override {
    got_[session] += std::string(reinterpret_cast<const char*>(datagram.data()), datagram.size());
  }
  // Whence a packet that was sent goes where, as a text.
  static std::string route_of(const Bytes& frame) {
    const auto datagram = std::span(frame);
    EthernetAddress station;
    std::ranges::copy(datagram.first(station.size()), station.begin());
    const auto from = load<std::uint32_t>(datagram, 26);
    const auto port = __builtin_bswap16(load<std::uint16_t>(datagram, 34));
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(&frame[42]), frame.size() - 42), "hello");
    return fmt::format("{}:{} by {:02x}", to_string(IpAddress::v4(from)), port,
                       static_cast<unsigned>(station.back()));
  }
  static rte_mempool* pool_of(test::PacketPool& pool) {
    rte_mbuf* packet = pool.packet(bytes_of("x"));
    rte_mempool* found = packet->pool;
    rte_pktmbuf_free(packet);
    return found;
  }
  void answer(std::string_view to, std::uint16_t port, std::string_view text,
              std::string_view from = "10.0.0.9") {
    const Bytes frame = test::ethernet(
        {.to = test::kOurEthernet, .from = kNodeEthernet},
        test::ipv4({.source = from, .destination = to},
                   test::udp({.source_port = 7373, .destination_port = port}, text)));
    ASSERT_TRUE(queue_.feed(pool_.packet(frame)));
  }
  void put_and_flush(std::size_t session) {
    port_->put(session, bytes_of("hello"));
    port_->flush();
  }

  test::PacketPool pool_;
  SimQueue queue_{256, pool_of(pool_)};
  std::optional<ClientPort> port_;
  std::vector<Bytes> sent_;
  std::map<std::size_t, std::string> got_;
  MonotonicNanos now_{1};
};

TEST_F(ClientPortTest, EachSessionHasAnAddressAndPortOfItsOwn) {
  put_and_flush(0);
  put_and_flush(ClientPort::kSessionsPerAddress + 1);
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_EQ(route_of(sent_[0]), "10.0.0.2:20000 by ff");
  EXPECT_EQ(route_of(sent_[1]), "10.0.0.3:20001 by ff");
  answer("10.0.0.2", 20'000, "a");
  answer("10.0.0.3", 20'001, "b");
  EXPECT_EQ(port_->receive(now_, *this), 2U);
  EXPECT_EQ(got_, (std::map<std::size_t, std::string>{
                      {0,                                   "a"},
                      {ClientPort::kSessionsPerAddress + 1, "b"}
  }));
}

TEST_F(ClientPortTest, SessionsOverIPv6HaveTheirOwnAddressesToo) {
  port_.emplace(queue_, ClientPortOptions{.ethernet = test::ethernet_address(test::kOurEthernet),
                                          .to_ethernet = {},
                                          .to = test::ip("fd00::9"),
                                          .to_port = 7373,
                                          .from = test::ip("fd00::2"),
                                          .sessions = kSessions});
  put_and_flush(ClientPort::kSessionsPerAddress + 1);
  ASSERT_EQ(sent_.size(), 1U);
  const auto sent = std::span<const std::byte>(sent_[0]);
  EXPECT_EQ(load<std::uint16_t>(sent, 12), __builtin_bswap16(0x86DD));
  EXPECT_EQ(to_string(IpAddress{load<std::array<std::byte, 16>>(sent, 22)}), "fd00::3");
  EXPECT_EQ(to_string(IpAddress{load<std::array<std::byte, 16>>(sent, 38)}), "fd00::9");
  const Bytes frame =
      test::ethernet({.to = test::kOurEthernet, .from = kNodeEthernet},
                     test::ipv6({.source = "fd00::9", .destination = "fd00::3"},
                                test::udp({.source_port = 7373, .destination_port = 20'001}, "b")));
  ASSERT_TRUE(queue_.feed(pool_.packet(frame)));
  EXPECT_EQ(port_->receive(now_, *this), 1U);
  EXPECT_EQ(got_.at(ClientPort::kSessionsPerAddress + 1), "b");
}

TEST_F(ClientPortTest, PacketsThatThePeerReadsWhereTheyAreAreTheSame) {
  ClientPortOptions options{.ethernet = test::ethernet_address(test::kOurEthernet),
                            .to_ethernet = {},
                            .to = test::ip("10.0.0.9"),
                            .to_port = 7373,
                            .from = test::ip("10.0.0.2")};
  const Bytes text(2'000, std::byte{'x'});
  for (const std::size_t bytes : {0, 1, 21, 22, 23, 86, 1'430, 1'472}) {
    SCOPED_TRACE(bytes);
    sent_.clear();
    for (const bool shared : {false, true}) {
      options.peer_reads_packets = shared;
      port_.emplace(queue_, options);
      port_->put(0, std::span(text).first(bytes));
      port_->flush();
    }
    ASSERT_EQ(sent_.size(), 2U);
    EXPECT_EQ(sent_[0].size(), 42 + bytes);
    EXPECT_EQ(sent_[0], sent_[1]);
  }
}

TEST_F(ClientPortTest, TheNodesStationIsLearnedFromItsFirstAnswerUnlessItWasTold) {
  answer("10.0.0.2", 20'000, "a");
  port_->receive(now_, *this);
  put_and_flush(0);
  EXPECT_EQ(route_of(sent_.at(0)), "10.0.0.2:20000 by 07");
  make(test::ethernet_address("02:00:00:00:00:08"));
  answer("10.0.0.2", 20'000, "a");
  port_->receive(now_, *this);
  put_and_flush(0);
  EXPECT_EQ(route_of(sent_.at(1)), "10.0.0.2:20000 by 08");
}

TEST_F(ClientPortTest, WhatIsNotTheNodesOrNoSessionsIsCountedAndNobodyIsTold) {
  answer("10.0.0.2", 20'000, "a", "10.0.0.8");
  answer("10.0.0.2", 19'999, "b");
  answer("10.0.0.3", 20'002, "c");
  answer("10.0.0.4", 20'000, "d");
  EXPECT_EQ(port_->receive(now_, *this), 4U);
  EXPECT_TRUE(got_.empty());
  EXPECT_EQ(port_->statistics().not_ours, 4U);
}

TEST_F(ClientPortTest, QuestionsForItsAddressesAreAnswered) {
  const Bytes request = test::ethernet({.to = test::kBroadcastEthernet}, test::arp({}));
  ASSERT_TRUE(queue_.feed(pool_.packet(request)));
  port_->receive(now_, *this);
  ASSERT_EQ(sent_.size(), 1U);
}

TEST_F(ClientPortTest, WhatTheDeviceDoesNotTakeIsOfferedAgain) {
  queue_.set_transmit_room(1);
  port_->put(0, bytes_of("hello"));
  port_->put(1, bytes_of("hello"));
  port_->flush();
  EXPECT_EQ(port_->room(), ClientPort::kBurst - 1);
  EXPECT_EQ(port_->statistics().refused, 1U);
  queue_.set_transmit_room(1);
  port_->flush();
  EXPECT_EQ(port_->room(), ClientPort::kBurst);
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_EQ(route_of(sent_[1]), "10.0.0.2:20001 by ff");
}

TEST_F(ClientPortTest, NoPacketIsLeftBehind) {
  put_and_flush(0);
  answer("10.0.0.2", 20'000, "a");
  answer("10.0.0.2", 1, "a");
  port_->receive(now_, *this);
  queue_.set_transmit_room(0);
  put_and_flush(0);
  port_.reset();
  EXPECT_EQ(pool_.in_use(), 0U);
}

}  // namespace
}  // namespace penstock::client
