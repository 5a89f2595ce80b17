#include "dataplane/frame/frame_decoder.h"

#include "base/rng.h"
#include "tests/unit/dataplane/frame/decoder_fixture.h"

namespace penstock::test {
namespace {

constexpr std::string_view kOtherStation = "02:00:00:00:00:77";

class FrameDecoderTest : public DecoderTest {
 protected:
  void expect_hello(const Bytes& frame) {
    const Seen seen = decode(frame);
    EXPECT_EQ(seen.verdict, (Verdict{PacketFate::kDecoded, 1, frame.size()}));
    EXPECT_EQ(seen.payload, "hello");
  }
};

Bytes octets(std::initializer_list<unsigned> values) {
  Bytes bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}
const Bytes kPadding = octets({1, 4, 0, 0, 0, 0});

Layer hello() { return udp({}, "hello"); }

TEST_F(FrameDecoderTest, ADatagramSaysWhoSentWhatWhere) {
  for (const std::vector<std::uint16_t>& vlans : {std::vector<std::uint16_t>{}, {7}}) {
    const Seen seen =
        decode(ethernet({.vlans = vlans}, ipv4({}, udp({.source_port = 1234}, "hello"))));
    EXPECT_EQ(seen.payload, "hello");
    EXPECT_EQ(seen.datagram.source, ip("10.0.0.9"));
    EXPECT_EQ(seen.datagram.destination, ip("10.0.0.2"));
    EXPECT_EQ(seen.datagram.source_port, 1234);
    EXPECT_EQ(seen.datagram.destination_port, 514);
    EXPECT_EQ(seen.datagram.received, UnixNanos(77));
  }
  const Seen seen = decode(ethernet({}, ipv6({}, udp({.source_port = 1234}, "hello"))));
  EXPECT_EQ(seen.payload, "hello");
  EXPECT_EQ(seen.datagram.source, ip("fd00::9"));
  EXPECT_EQ(seen.datagram.destination, ip("fd00::2"));
  EXPECT_EQ(seen.datagram.source_port, 1234);
  EXPECT_EQ(seen.datagram.received, UnixNanos(77));
}

TEST_F(FrameDecoderTest, UpToTwoVlanTagsOfAnyKindAreSteppedOver) {
  for (const std::uint16_t type : std::array<std::uint16_t, 3>{0x8100, 0x88A8, 0x9100}) {
    expect_hello(ethernet({.vlans = {7}, .vlan_type = type}, ipv4({}, hello())));
    expect_hello(ethernet(
        {
            .vlans = {0xE007, 9},
              .vlan_type = type
    },
        ipv6({}, hello())));
    expect_hello(ethernet({.vlans = {0}, .vlan_type = type}, ipv4({}, hello())));
  }
}

TEST_F(FrameDecoderTest, Ipv4OptionsAreSteppedOver) {
  expect_hello(ethernet({}, ipv4({.options = octets({1, 1, 1, 0})}, hello())));
  expect_hello(ethernet({}, ipv4({.options = octets({148, 4, 0, 0})}, hello())));  // router alert
  expect_hello(ethernet({}, ipv4({.options = Bytes(40, std::byte{1})}, hello())));
  // Behind the end of options anything may stand.
  expect_hello(ethernet({}, ipv4({.options = octets({0, 7, 99, 99})}, hello())));
  // A source route that has reached its end.
  expect_hello(ethernet({}, ipv4({.options = octets({131, 7, 8, 10, 0, 0, 8, 0})}, hello())));
}

TEST_F(FrameDecoderTest, Ipv6ExtensionHeadersAreSteppedOver) {
  expect_hello(ethernet({}, ipv6({}, hop_by_hop(hello()))));
  expect_hello(ethernet({}, ipv6({}, extension(60, kPadding, hello()))));
  expect_hello(ethernet({}, ipv6({}, extension(43, octets({0, 0, 0, 0, 0, 0}), hello()))));
  expect_hello(ethernet({}, ipv6({}, fragment_header(0, false, 9, hello()))));
  Layer eight = hello();
  for (unsigned i = 0; i < kExtensionHeadersMax - 1; ++i) eight = extension(60, kPadding, eight);
  expect_hello(ethernet({}, ipv6({}, hop_by_hop(eight))));
}

TEST_F(FrameDecoderTest, PaddingIsNoPayload) {
  expect_hello(ethernet({.pad_to = 60}, ipv4({}, hello())));
  expect_hello(ethernet({.vlans = {7}, .pad_to = 64}, ipv4({}, hello())));
  expect_hello(ethernet({.pad_to = 100}, ipv6({}, hello())));
  // Padding of IP's, behind UDP's own length; it is not under the checksum.
  Layer padded = udp({.length = 13, .checksum = 0}, "hello and more");
  EXPECT_EQ(decode(ethernet({}, ipv4({}, padded))).payload, "hello");
  EXPECT_EQ(decode(ethernet({.vlans = {7}}, ipv4({}, padded))).payload, "hello");
}

TEST_F(FrameDecoderTest, AChainCutAnywhereIsTheSamePacket) {
  for (const Network& network : {ipv4({}, hello()), ipv6({}, hop_by_hop(hello()))}) {
    const Bytes frame = ethernet({.vlans = {7}}, network);
    for (std::size_t cut = 0; cut <= frame.size(); ++cut) {
      const std::array<std::size_t, 2> cuts{cut / 2, cut};
      const Seen seen = books_->decode(pool_.chained(frame, cuts));
      ASSERT_EQ(seen.verdict.fate, PacketFate::kDecoded) << cut;
      ASSERT_EQ(seen.payload, "hello") << cut;
    }
  }
}

TEST_F(FrameDecoderTest, AJumboFrameInManyBuffersIsOnePayload) {
  const std::string payload(8972, 'j');
  const Bytes frame = ethernet({}, ipv4({}, udp({}, payload)));
  const std::array<std::size_t, 4> cuts{2000, 4000, 6000, 8000};
  EXPECT_EQ(books_->decode(pool_.chained(frame, cuts)).payload, payload);
}

TEST_F(FrameDecoderTest, AChainLongerThanAnyPacketHasNoRoom) {
  std::vector<std::size_t> cuts;
  for (std::size_t cut = 2000; cut < 70000; cut += 2000) cuts.push_back(cut);
  EXPECT_EQ(books_->decode(pool_.chained(Bytes(70000), cuts)).verdict,
            (Verdict{PacketFate::kNoBuffer, 1, 70000}));
}

TEST_F(FrameDecoderTest, APacketCutOffAnywhereIsRefused) {
  for (const Bytes& frame : {
           ethernet({                                             },
           ipv4({                               },
           hello())), ethernet({.vlans = {1, 2}                                             },
           ipv4({                                             },
           hello())),
           ethernet({},
           ipv6({},
           hop_by_hop(extension(60, kPadding, hello())))),
           ethernet({},
           ipv4({.options = octets({131, 7, 8, 10, 0, 0, 8, 0})},
           hello()))
  }) {
    for (std::size_t size = 0; size < frame.size(); ++size) {
      const auto length = static_cast<std::ptrdiff_t>(size);
      const Seen seen = decode({frame.begin(), frame.begin() + length});
      EXPECT_EQ(info(seen.verdict.fate).of, FateClass::kMalformed) << size;
    }
  }
}

// What is right and wrong in a packet, what the device says of it, and what is believed.
TEST_F(FrameDecoderTest, ChecksumsAreVerifiedUnlessTheDeviceFoundThemGood) {
  struct Told {
    std::uint64_t flag;
    bool verified_always;
    bool verified_if_wanted;
  };
  const Told told_ip[] = {
      {RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN, false, true },
      {RTE_MBUF_F_RX_IP_CKSUM_GOOD,    false, false},
      {RTE_MBUF_F_RX_IP_CKSUM_NONE,    false, false},
      {RTE_MBUF_F_RX_IP_CKSUM_BAD,     true,  true }
  };
  const Told told_udp[] = {
      {RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, false, true },
      {RTE_MBUF_F_RX_L4_CKSUM_GOOD,    false, false},
      {RTE_MBUF_F_RX_L4_CKSUM_NONE,    false, false},
      {RTE_MBUF_F_RX_L4_CKSUM_BAD,     true,  true }
  };
  const auto packet = [](bool ip_right, bool udp_right, bool tagged) {
    Ipv4Fields header;
    if (!ip_right) header.checksum = 1;
    UdpFields fields;
    if (!udp_right) fields.checksum = 1;
    EthernetFields link;
    if (tagged) link.vlans = {7};
    return ethernet(link, ipv4(header, udp(fields, "hello")));
  };
  for (const bool wanted : {true, false}) {
    FrameOptions options = frame_options();
    options.verify_checksums = wanted;
    restart(options);
    for (unsigned i = 0; i < 4 * 4 * 8; ++i) {
      const Told& ip = told_ip[i % 4];
      const Told& l4 = told_udp[i / 4 % 4];
      const bool ip_right = (i & 16U) != 0;
      const bool udp_right = (i & 32U) != 0;
      const bool ip_verified = wanted ? ip.verified_if_wanted : ip.verified_always;
      const bool udp_verified = wanted ? l4.verified_if_wanted : l4.verified_always;
      PacketFate expected = PacketFate::kDecoded;
      if (!udp_right && udp_verified) expected = PacketFate::kBadUdpChecksum;
      if (!ip_right && ip_verified) expected = PacketFate::kBadIpChecksum;
      const Seen seen = decode(packet(ip_right, udp_right, (i & 64U) != 0), ip.flag | l4.flag);
      EXPECT_EQ(seen.verdict.fate, expected) << i << (wanted ? " wanted" : "");
    }
  }
}

TEST_F(FrameDecoderTest, AZeroChecksumThatTheDeviceFoundBadIsNoneOverIpv4Only) {
  const Layer without = udp({.checksum = 0}, "hello");
  EXPECT_EQ(decode(ethernet({}, ipv4({}, without)), RTE_MBUF_F_RX_L4_CKSUM_BAD).payload, "hello");
  EXPECT_EQ(decode(ethernet({}, ipv6({}, without)), RTE_MBUF_F_RX_L4_CKSUM_GOOD).verdict.fate,
            PacketFate::kBadUdpChecksum);
}

TEST_F(FrameDecoderTest, AMirrorPortTakesWhatGoesToOthersAndAnswersNothingOfIt) {
  FrameOptions options = frame_options();
  options.any_address = true;
  restart(options);
  expect_hello(ethernet({.to = kOtherStation}, ipv4({.destination = "192.0.2.1"}, hello())));
  expect_hello(ethernet({.to = kOtherStation}, ipv6({.destination = "2001:db8::1"}, hello())));
  EXPECT_EQ(decode(ethernet({.to = kOtherStation}, arp({}))).verdict.fate,
            PacketFate::kOtherEthernetAddress);
  EXPECT_EQ(decode(ethernet({.to = kOtherStation}, ipv4({}, icmp({}, Bytes(8))))).verdict.fate,
            PacketFate::kOtherEthernetAddress);
  const auto frames = fragments_v4({.destination = "192.0.2.1"}, udp({}, "hello, hello"), 8);
  for (const Bytes& frame : frames) static_cast<void>(decode(frame));
  EXPECT_EQ(books_->fate(PacketFate::kDecoded).count, 2 + frames.size());
}

// The short way for plain packets decides nothing that the long way, which a VLAN tag leads to,
// would not.
TEST_F(FrameDecoderTest, ThePlainPacketsShortWayAgreesWithTheLongOne) {
  Rng rng(11);
  constexpr unsigned kCases = 100'000;
  unsigned failed = 0;
  unsigned decoded = 0;
  for (const bool any_address : {false, true}) {
    FrameOptions options = frame_options();
    options.any_address = any_address;
    restart(options);
    for (unsigned i = 0; i < kCases / 2; ++i) {
      UdpFields fields;
      if (rng.below(2) == 0) fields.checksum = 0;
      Bytes plain = ethernet({}, ipv4({}, udp(fields, "hello")));
      for (std::uint64_t left = rng.below(3); left > 0; --left) {
        plain[14 + rng.below(plain.size() - 14)] = static_cast<std::byte>(rng.next());
      }
      Bytes tagged = plain;
      const Bytes tag = octets({0x81, 0x00, 0x00, 0x07});
      tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
      const std::uint64_t flags =
          rng.below(2) == 0 ? 0 : RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
      const Seen one = decode(plain, flags);
      const Seen other = decode(tagged, flags);
      if (one.verdict.fate != other.verdict.fate || one.payload != other.payload) ++failed;
      if (one.verdict.fate == PacketFate::kDecoded) ++decoded;
    }
  }
  EXPECT_EQ(failed, 0U);
  EXPECT_GT(decoded, kCases / 10);
  std::printf("FIGURE name=plain_way cases=%u failed=%u\n", kCases, failed);
}

}  // namespace
}  // namespace penstock::test
