// Answers, byte for byte as the peer must get them.
#include "dataplane/frame/responder.h"

#include <rte_ether.h>

#include "tests/unit/dataplane/frame/decoder_fixture.h"

namespace penstock::test {
namespace {

constexpr std::string_view kAllNodesStation = "33:33:00:00:00:01";
constexpr std::string_view kSolicitedStation = "33:33:ff:00:00:02";
const EthernetFields kBack{.to = kPeerEthernet, .from = kOurEthernet};

class ResponderTest : public DecoderTest {
 protected:
  ResponderTest() { static_cast<void>(books_->advance(MonotonicNanos(1))); }

  // In a buffer with room behind the packet, as devices hand them over.
  Seen ask(const Bytes& frame, std::uint64_t flags = 0, std::uint16_t vlan = 0) {
    rte_mbuf* packet = pool_.packet(frame);
    packet->ol_flags |= flags;
    packet->vlan_tci = vlan;
    return books_->decode(packet);
  }
};

Layer advertisement(unsigned flags) {
  Bytes rest(4);
  rest[0] = static_cast<std::byte>(flags);
  for (const std::byte one : ip("fd00::2").bytes) rest.push_back(one);
  rest.push_back(std::byte{2});
  rest.push_back(std::byte{1});
  for (const std::byte one : ethernet_address(kOurEthernet)) rest.push_back(one);
  return icmpv6({.type = 136}, rest);
}

Network arp_reply(std::string_view to = "10.0.0.9") {
  return arp({.operation = 2,
              .sender_ethernet = kOurEthernet,
              .sender = "10.0.0.2",
              .target_ethernet = kPeerEthernet,
              .target = to});
}

TEST_F(ResponderTest, ArpRequestsAreAnsweredWithOurStation) {
  EXPECT_EQ(ask(ethernet({.to = kBroadcastEthernet}, arp({}))).answer,
            ethernet(kBack, arp_reply()));
  EXPECT_EQ(ask(ethernet({}, arp({}))).answer, ethernet(kBack, arp_reply()));
}

TEST_F(ResponderTest, AnArpProbeIsAnsweredSoThatTheAddressIsNotTakenTwice) {
  EXPECT_EQ(ask(ethernet({.to = kBroadcastEthernet}, arp({.sender = "0.0.0.0"}))).answer,
            ethernet(kBack, arp_reply("0.0.0.0")));
}

TEST_F(ResponderTest, AnArpReplyGoesToTheAskerOfTheMessageNotOfTheFrame) {
  const Bytes request = ethernet({.to = kBroadcastEthernet, .from = "02:00:00:00:00:55"}, arp({}));
  EXPECT_EQ(ask(request).answer, ethernet(kBack, arp_reply()));
}

TEST_F(ResponderTest, PaddingAndVlanTagsStayOnTheAnswer) {
  const Bytes request = ethernet(
      {
          .to = kBroadcastEthernet, .vlans = {0x2007, 42},
               .pad_to = 64
  },
      arp({}));
  EXPECT_EQ(ask(request).answer,
            ethernet(
                {
                    .to = kPeerEthernet, .from = kOurEthernet, .vlans = {0x2007, 42},
                            .pad_to = 64
  },
                arp_reply()));
}

TEST_F(ResponderTest, AVlanTagThatTheDeviceStrippedIsPutBack) {
  constexpr std::uint64_t kStripped = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
  EXPECT_EQ(ask(ethernet({.to = kBroadcastEthernet}, arp({})), kStripped, 0x2007).answer,
            ethernet({.to = kPeerEthernet, .from = kOurEthernet, .vlans = {0x2007}}, arp_reply()));
  // Without room in front the answer would go to the wrong network: none is better.
  EXPECT_EQ(decode(ethernet({.to = kBroadcastEthernet}, arp({})), kStripped).verdict.fate,
            PacketFate::kNoBuffer);
}

TEST_F(ResponderTest, PingIsAnsweredWithItsOwnBytes) {
  const Bytes echo = bytes_of("\x12\x34\x01\x07 abcdefghijklmnopqrstuvw");
  const Bytes request = ethernet({}, ipv4({.identification = 77, .ttl = 3}, icmp({}, echo)));
  EXPECT_EQ(
      ask(request).answer,
      ethernet(kBack, ipv4({.source = "10.0.0.2", .destination = "10.0.0.9", .identification = 77},
                           icmp({.type = 0}, echo))));
}

TEST_F(ResponderTest, PingOverIpv6IsAnsweredWithItsOwnBytes) {
  const Bytes echo = bytes_of("\x12\x34\x01\x07 abcdefghijklmnopqrstuvw");
  const Bytes request = ethernet({}, ipv6({.hop_limit = 3}, icmpv6({.type = 128}, echo)));
  EXPECT_EQ(ask(request).answer,
            ethernet(kBack, ipv6({.source = "fd00::2", .destination = "fd00::9"},
                                 icmpv6({.type = 129}, echo))));
}

TEST_F(ResponderTest, EveryChecksumOfAPingIsAnsweredWithTheRightOne) {
  FrameOptions options = frame_options();
  options.answers = {.answers_per_second = 1'000'000, .burst = 200'000};
  restart(options);
  unsigned failed = 0;
  constexpr unsigned kCases = 65536;
  for (unsigned i = 0; i < kCases; ++i) {
    const Bytes echo{static_cast<std::byte>(i >> 8U), static_cast<std::byte>(i & 0xFFU), {}, {}};
    const Bytes answer = ask(ethernet({}, ipv4({}, icmp({}, echo)))).answer;
    const Bytes right = ethernet(
        kBack, ipv4({.source = "10.0.0.2", .destination = "10.0.0.9"}, icmp({.type = 0}, echo)));
    if (answer != right) ++failed;
  }
  EXPECT_EQ(failed, 0U);
  std::printf("FIGURE name=echo_checksum cases=%u failed=%u\n", kCases, failed);
}

TEST_F(ResponderTest, AChainedPingIsAnsweredWhereTheDeviceTakesChains) {
  const Bytes echo = bytes_of("\x12\x34\x01\x07" + std::string(5000, 'x'));
  const Bytes request = ethernet({}, ipv4({}, icmp({}, echo)));
  const std::array<std::size_t, 2> cuts{1500, 3000};
  EXPECT_EQ(books_->decode(pool_.chained(request, cuts)).answer,
            ethernet(kBack, ipv4({.source = "10.0.0.2", .destination = "10.0.0.9"},
                                 icmp({.type = 0}, echo))));
  FrameOptions options = frame_options();
  options.answers.transmit_chained = false;
  restart(options);
  EXPECT_EQ(books_->decode(pool_.chained(request, cuts)).verdict.fate, PacketFate::kNoBuffer);
}

TEST_F(ResponderTest, APacketThatIsAlsoHeldElsewhereIsNotRewritten) {
  rte_mbuf* packet = pool_.packet(ethernet({}, ipv4({}, icmp({}, bytes_of("\1\2\3\4")))));
  rte_mbuf_refcnt_update(packet, 1);
  EXPECT_EQ(books_->decode(packet).verdict.fate, PacketFate::kNoBuffer);
  rte_pktmbuf_free(packet);
}

TEST_F(ResponderTest, SolicitationsAreAnsweredToTheAsker) {
  const Bytes request =
      ethernet({.to = kSolicitedStation},
               ipv6({.destination = "ff02::1:ff00:2", .hop_limit = 255},
                    solicitation("fd00::2", source_link_option("02:00:00:00:00:33"))));
  const Ipv6Fields to_asker{.source = "fd00::2", .destination = "fd00::9", .hop_limit = 255};
  EXPECT_EQ(ask(request).answer, ethernet({.to = "02:00:00:00:00:33", .from = kOurEthernet},
                                          ipv6(to_asker, advertisement(0x60))));
  // Without the option the asker's station is that of the frame.
  const Bytes bare = ethernet({}, ipv6({.hop_limit = 255}, solicitation("fd00::2", {})));
  EXPECT_EQ(ask(bare).answer, ethernet(kBack, ipv6(to_asker, advertisement(0x60))));
}

TEST_F(ResponderTest, DuplicateAddressDetectionIsAnsweredToAllNodes) {
  const Bytes request =
      ethernet({.to = kSolicitedStation},
               ipv6({.source = "::", .destination = "ff02::1:ff00:2", .hop_limit = 255},
                    solicitation("fd00::2", {})));
  EXPECT_EQ(ask(request).answer,
            ethernet({.to = kAllNodesStation, .from = kOurEthernet},
                     ipv6({.source = "fd00::2", .destination = "ff02::1", .hop_limit = 255},
                          advertisement(0x20))));
}

TEST_F(ResponderTest, ALongerSolicitationLeavesNothingBehindTheAnswer) {
  const Bytes unknown(40, std::byte{5});  // an option of its own length
  const Bytes request = ethernet({}, ipv6({.hop_limit = 255}, solicitation("fd00::2", unknown)));
  EXPECT_EQ(ask(request).answer,
            ethernet(kBack, ipv6({.source = "fd00::2", .destination = "fd00::9", .hop_limit = 255},
                                 advertisement(0x60))));
}

TEST_F(ResponderTest, AnswersAreLimitedAndTheLimitRecovers) {
  FrameOptions options = frame_options();
  options.answers = {.answers_per_second = 100, .burst = 3};
  restart(options);
  const Bytes request = ethernet({.to = kBroadcastEthernet}, arp({}));
  const auto answered = [&] {
    unsigned count = 0;
    for (unsigned i = 0; i < 10; ++i) {
      if (ask(request).verdict.fate == PacketFate::kArpAnswered) ++count;
    }
    return count;
  };
  static_cast<void>(books_->advance(MonotonicNanos(kNanosPerSecond)));
  EXPECT_EQ(answered(), 3U);
  EXPECT_EQ(books_->fate(PacketFate::kAnswerLimited).count, 7U);
  static_cast<void>(books_->advance(MonotonicNanos(kNanosPerSecond + kNanosPerSecond / 100)));
  EXPECT_EQ(answered(), 1U);
  static_cast<void>(books_->advance(MonotonicNanos(100 * kNanosPerSecond)));
  EXPECT_EQ(answered(), 3U);
}

TEST_F(ResponderTest, AFloodOfPingsLeavesThePortReachable) {
  FrameOptions options = frame_options();
  options.answers = {.answers_per_second = 100, .burst = 3};
  restart(options);
  static_cast<void>(books_->advance(MonotonicNanos(kNanosPerSecond)));
  const Bytes ping = ethernet({}, ipv4({}, icmp({}, bytes_of("\1\2\3\4"))));
  const Bytes ping6 = ethernet({}, ipv6({}, icmpv6({.type = 128}, bytes_of("\1\2\3\4"))));
  for (unsigned i = 0; i < 5; ++i) {
    static_cast<void>(ask(ping));
    static_cast<void>(ask(ping6));
  }
  EXPECT_EQ(books_->fate(PacketFate::kEchoAnswered).count, 3U);
  EXPECT_EQ(ask(ethernet({.to = kBroadcastEthernet}, arp({}))).verdict.fate,
            PacketFate::kArpAnswered);
  EXPECT_EQ(ask(ethernet({}, ipv6({.hop_limit = 255}, solicitation("fd00::2", {})))).verdict.fate,
            PacketFate::kNeighbourAnswered);
}

TEST_F(ResponderTest, ALimitOfZeroAnswersNothing) {
  FrameOptions options = frame_options();
  options.answers.answers_per_second = 0;
  restart(options);
  EXPECT_EQ(ask(ethernet({.to = kBroadcastEthernet}, arp({}))).verdict.fate,
            PacketFate::kAnswerLimited);
}

}  // namespace
}  // namespace penstock::test
