// Every fate that a packet can meet in the frame stage, and what leads to it.
#include <functional>
#include <set>

#include "tests/unit/dataplane/frame/decoder_fixture.h"

namespace penstock::test {
namespace {

constexpr std::string_view kOtherStation = "02:00:00:00:00:77";
constexpr std::string_view kGroupStation = "33:33:00:00:00:01";
const Bytes kEcho = bytes_of("\1\2\3\4ping");

struct Row {
  PacketFate fate;
  std::string_view what;
  std::vector<Bytes> frames;  // the last one meets the fate
  bool wait = false;          // or the clock does, behind them
};

Row meets(PacketFate fate, std::string_view what, std::vector<Bytes> frames, bool wait = false) {
  return {fate, what, std::move(frames), wait};
}

void PrintTo(const Row& row, std::ostream* out) { *out << info(row.fate).name << ": " << row.what; }

Bytes v4(const Ipv4Fields& fields, Layer inner) {
  return ethernet({}, ipv4(fields, std::move(inner)));
}
Bytes v6(const Ipv6Fields& fields, Layer inner) {
  return ethernet({}, ipv6(fields, std::move(inner)));
}
Bytes arp_frame(const ArpFields& fields) {
  return ethernet({.to = kBroadcastEthernet}, arp(fields));
}
Bytes cut(Bytes bytes, std::size_t size) {
  bytes.resize(size);
  return bytes;
}
Bytes octets(std::initializer_list<unsigned> values) {
  Bytes bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}
Layer hello() { return udp({}, "hello"); }
Layer nine_headers() {
  Layer layer = hello();
  for (unsigned i = 0; i < kExtensionHeadersMax + 1; ++i) {
    layer = extension(60, octets({1, 4, 0, 0, 0, 0}), std::move(layer));
  }
  return layer;
}

std::vector<Row> taken() {
  using enum PacketFate;
  return {
      meets(kDecoded, "UDP over IPv4", {v4({}, hello())}),
      meets(kDecoded, "UDP over IPv6", {v6({}, hello())}),
      meets(kDecoded, "to the subnet's broadcast address",
            {v4({.destination = "10.0.0.255"}, hello())}),
      meets(kDecoded, "to all", {v4({.destination = "255.255.255.255"}, hello())}),
      meets(kDecoded, "to a group of ours", {v4({.destination = "239.1.2.3"}, hello())}),
      meets(kDecoded, "to an IPv6 group of ours", {v6({.destination = "ff05::123"}, hello())}),
      meets(kDecoded, "to our second address", {v4({.destination = "10.0.7.2"}, hello())}),
      meets(kDecoded, "without a checksum", {v4({}, udp({.checksum = 0}, "hello"))}),
      meets(kDecoded, "without a payload", {v4({}, udp({}, ""))}),
      meets(kArpAnswered, "who has our address", {arp_frame({})}),
      meets(kArpAnswered, "who has it, of one without an address",
            {arp_frame({.sender = "0.0.0.0"})}),
      meets(kNeighbourAnswered, "who has our IPv6 address",
            {v6({.hop_limit = 255}, solicitation("fd00::2", source_link_option(kPeerEthernet)))}),
      meets(kEchoAnswered, "ping", {v4({}, icmp({}, kEcho))}),
      meets(kEchoAnswered, "ping over IPv6", {v6({}, icmpv6({.type = 128}, kEcho))}),
      meets(kAnswerLimited, "more requests than the limit", {arp_frame({}), arp_frame({})}),

  };
}

std::vector<Row> ignored() {
  using enum PacketFate;
  const Layer echo = icmp({}, kEcho);
  const Bytes part = v4({.more = true}, raw(17, Bytes(16)));
  return {
      meets(kOtherEthernetAddress, "to another station",
            {ethernet({.to = kOtherStation}, ipv4({}, hello()))}),
      meets(kOtherEtherType, "LLDP", {ethernet({.type = 0x88CC}, ipv4({}, hello()))}),
      meets(kOtherEtherType, "IEEE 802.3 with a length",
            {ethernet({.type = 100}, ipv4({}, hello()))}),
      meets(kArpOther, "who has another address", {arp_frame({.target = "10.0.0.3"})}),
      meets(kArpOther, "a reply", {arp_frame({.operation = 2})}),
      meets(kArpOther, "an announcement of our address", {arp_frame({.sender = "10.0.0.2"})}),
      meets(kOtherAddress, "to another address", {v4({.destination = "10.0.0.3"}, hello())}),
      meets(kOtherAddress, "to another IPv6 address", {v6({.destination = "fd00::3"}, hello())}),
      meets(kOtherAddress, "to another group", {v4({.destination = "239.1.2.4"}, hello())}),
      meets(kOtherAddress, "UDP to all hosts' group", {v4({.destination = "224.0.0.1"}, hello())}),
      meets(kOtherAddress, "to a mapped address",
            {v6({.destination = "::ffff:10.0.0.2"}, hello())}),
      meets(kOtherAddress, "a fragment for another",
            {v4({.destination = "10.0.0.3", .more = true}, raw(17, Bytes(16)))}),
      meets(kOtherAddress, "from a group to another address",
            {v4({.source = "224.0.0.9", .destination = "10.0.0.3"}, hello())}),
      meets(kOtherAddress, "from loopback to another IPv6 address",
            {v6({.source = "::1", .destination = "fd00::3"}, hello())}),
      meets(kNoDoor, "a host that asks all for an address",
            {v4({.source = "0.0.0.0", .destination = "255.255.255.255"}, hello())}),
      meets(kOtherProtocol, "a switch that asks for groups, without an address",
            {v4({.source = "0.0.0.0", .destination = "224.0.0.1"}, raw(2, Bytes(8)))}),
      meets(kIcmpOther, "nobody's ping to all",
            {v4({.source = "0.0.0.0", .destination = "255.255.255.255"}, echo)}),
      meets(kOtherProtocol, "TCP", {v4({}, raw(6, Bytes(20)))}),
      meets(kOtherProtocol, "TCP over IPv6", {v6({}, raw(6, Bytes(20)))}),
      meets(kOtherProtocol, "a fragment of TCP", {v4({.more = true}, raw(6, Bytes(24)))}),
      meets(kIcmpOther, "echo reply", {v4({}, icmp({.type = 0}, kEcho))}),
      meets(kIcmpOther, "echo with a code", {v4({}, icmp({.code = 1}, kEcho))}),
      meets(kIcmpOther, "ping to all", {v4({.destination = "10.0.0.255"}, echo)}),
      meets(kIcmpOther, "ping to a group", {v4({.destination = "224.0.0.1"}, echo)}),
      meets(kIcmpOther, "ping to all IPv6 nodes",
            {v6({.destination = "ff02::1"}, icmpv6({.type = 128}, kEcho))}),
      meets(kIcmpOther, "ping with IP options", {v4({.options = octets({1, 1, 1, 0})}, echo)}),
      meets(kIcmpOther, "a part of a ping", {v4({.more = true}, raw(1, Bytes(16)))}),
      meets(kIcmpOther, "ping behind hop-by-hop options",
            {v6({}, hop_by_hop(icmpv6({.type = 128}, kEcho)))}),
      meets(kIcmpOther, "ping from a group's station",
            {ethernet({.from = kGroupStation}, ipv4({}, echo))}),
      meets(kIcmpOther, "IPv6 ping from a group's station",
            {ethernet({.from = kGroupStation}, ipv6({}, icmpv6({.type = 128}, kEcho)))}),
      meets(kIcmpOther, "who has another IPv6 address",
            {v6({.hop_limit = 255}, solicitation("fd00::3", source_link_option(kPeerEthernet)))}),
      meets(kFragmentExpired, "a fragment without its rest", {part}, true),
      meets(kFragmentTableFull, "more datagrams than are held",
            {part, v4({.identification = 2, .more = true}, raw(17, Bytes(16)))}),
      meets(kNoBuffer, "no room for the answer",
            {v6({.hop_limit = 255}, solicitation("fd00::2", {}))}),

  };
}

std::vector<Row> malformed_below_ip() {
  using enum PacketFate;
  const Bytes tagged = ethernet({.vlans = {7}}, ipv4({}, hello()));
  return {
      meets(kTruncatedEthernet, "nothing", {Bytes{}}
        ),
      meets(kTruncatedEthernet, "13 bytes", {cut(tagged, 13)}
        ),
      meets(kTruncatedEthernet, "half a VLAN tag", {cut(tagged, 17)}
        ),
      meets(kVlanTooDeep, "three tags", {ethernet({.vlans = {1, 2, 3}}, ipv4({}, hello()))}
        ),
      meets(kBadArp, "hardware length of 5", {arp_frame({.types = {0, 1, 8, 0, 5, 4}})}
        ),
      meets(kBadArp, "cut off", {cut(arp_frame({}), 14 + 27)}
        ),
      meets(kBadArp, "from a group's station", {arp_frame({.sender_ethernet = kGroupStation})}
        ),
      meets(kBadArp, "from a group's address", {arp_frame({.sender = "224.0.0.1"})}
        ),
  };
}

std::vector<Row> malformed_ip() {
  using enum PacketFate;
  return {
      meets(kBadIpHeader, "four words of header", {v4({.version_and_words = 0x44}, hello())}),
      meets(kBadIpHeader, "version 6 as IPv4", {v4({.version_and_words = 0x65}, hello())}),
      meets(kBadIpHeader, "version 4 as IPv6", {v6({.version = 4}, hello())}),
      meets(kBadIpHeader, "shorter than its header", {v4({.total_length = 19}, hello())}),
      meets(kBadIpHeader, "an option that leaves the header",
            {v4({.options = octets({7, 5, 4, 0})}, hello())}),
      meets(kBadIpHeader, "an option of no length",
            {v4({.options = octets({7, 0, 4, 0})}, hello())}),
      meets(kBadIpHeader, "a source route through us",
            {v4({.options = octets({131, 7, 4, 10, 0, 0, 8, 0})}, hello())}),
      meets(kBadIpChecksum, "a wrong checksum", {v4({.checksum = 0}, hello())}),
      meets(kBadIpLength, "more than the frame", {v4({.total_length = 34}, hello())}),
      meets(kBadIpLength, "no header", {cut(v4({}, hello()), 14 + 19)}),
      meets(kBadIpLength, "no IPv6 header", {cut(v6({}, hello()), 14 + 39)}),
      meets(kBadIpLength, "more than the IPv6 frame", {v6({.payload_length = 14}, hello())}),
      meets(kBadSource, "loopback", {v4({.source = "127.0.0.1"}, hello())}),
      meets(kBadSource, "this network", {v4({.source = "0.0.0.0"}, hello())}),
      meets(kBadSource, "this network to all",
            {v4({.source = "0.1.2.3", .destination = "255.255.255.255"}, hello())}),
      meets(kBadSource, "a part of nobody's datagram",
            {v4({.source = "0.0.0.0", .destination = "255.255.255.255", .more = true},
                raw(17, Bytes(16)))}),
      meets(kBadSource, "a fragment from a group",
            {v4({.source = "224.0.0.9", .more = true}, raw(17, Bytes(16)))}),
      meets(kBadSource, "TCP from a group", {v4({.source = "224.0.0.9"}, raw(6, Bytes(20)))}),
      meets(kBadSource, "a group", {v4({.source = "224.0.0.9"}, hello())}),
      meets(kBadSource, "all", {v4({.source = "255.255.255.255"}, hello())}),
      meets(kBadSource, "IPv6 loopback", {v6({.source = "::1"}, hello())}),
      meets(kBadSource, "an IPv6 group", {v6({.source = "ff02::1"}, hello())}),
      meets(kBadSource, "no IPv6 address", {v6({.source = "::"}, hello())}),
      meets(kBadSource, "a mapped address", {v6({.source = "::ffff:10.0.0.9"}, hello())}),
      meets(kBadSource, "IPv6 ping of nobody",
            {v6({.source = "::"}, icmpv6({.type = 128}, kEcho))}),
      meets(kBadExtensionHeader, "a route through us",
            {v6({}, extension(43, octets({0, 1, 0, 0, 0, 0}), hello()))}),
      meets(kBadExtensionHeader, "nine headers", {v6({}, nine_headers())}),
      meets(kBadExtensionHeader, "hop-by-hop options twice",
            {v6({}, hop_by_hop(hop_by_hop(hello())))}),
      meets(kBadExtensionHeader, "an option that must be known",
            {v6({}, extension(60, octets({0xC2, 4, 0, 0, 0, 0}), hello()))}),
      meets(kBadExtensionHeader, "an option that leaves its header",
            {v6({}, extension(60, octets({1, 5, 0, 0, 0, 0}), hello()))}),
      meets(kBadExtensionHeader, "headers that leave the packet",
            {v6({}, raw(60, octets({17, 1, 1, 4, 0, 0, 0, 0})))}),
      meets(kBadExtensionHeader, "half a header", {v6({}, raw(44, octets({17, 0, 0, 0})))}),
      meets(kBadExtensionHeader, "a fragment of a fragment",
            {v6({}, fragment_header(0, true, 1, fragment_header(0, true, 2, raw(17, Bytes(16)))))}),
      meets(kBadFragment, "past 65,535 bytes", {v4({.offset = 65528}, raw(17, Bytes(16)))}),
      meets(kBadFragment, "an inner one of 15 bytes", {v4({.more = true}, raw(17, Bytes(15)))}),
      meets(kBadFragment, "an empty one", {v4({.offset = 8}, raw(17, {}))}),
      meets(kBadFragment, "IPv6 without its UDP header",
            {v6({}, fragment_header(0, true, 1, raw(17, {})))}),

  };
}

std::vector<Row> malformed_above_ip() {
  using enum PacketFate;
  const Ipv6Fields on_link{.hop_limit = 255};
  return {
      meets(kBadIcmp, "a wrong checksum", {v4({}, icmp({.checksum = 1}, kEcho))}),
      meets(kBadIcmp, "seven bytes", {v4({}, icmp({}, Bytes(3)))}),
      meets(kBadIcmp, "a wrong ICMPv6 checksum",
            {v6({}, icmpv6({.type = 128, .checksum = 1}, kEcho))}),
      meets(kBadIcmp, "a solicitation from afar",
            {v6({.hop_limit = 254}, solicitation("fd00::2", {}))}),
      meets(kBadIcmp, "a solicitation for a group", {v6(on_link, solicitation("ff02::1", {}))}),
      meets(kBadIcmp, "a solicitation without target",
            {v6(on_link, icmpv6({.type = 135}, Bytes(4)))}),
      meets(kBadIcmp, "an option of no length", {v6(on_link, solicitation("fd00::2", Bytes(8)))}),
      meets(kBadIcmp, "half an option",
            {v6(on_link, solicitation("fd00::2", octets({1, 1, 2, 0})))}),
      meets(kBadIcmp, "nobody's solicitation to us alone",
            {v6({.source = "::", .hop_limit = 255}, solicitation("fd00::2", {}))}),
      meets(kBadUdpLength, "seven", {v4({}, udp({.length = 7}, "hello"))}),
      meets(kBadUdpLength, "more than IP carries", {v4({}, udp({.length = 14}, "hello"))}),
      meets(kBadUdpLength, "no UDP header", {v4({}, raw(17, Bytes(7)))}),
      meets(kBadUdpChecksum, "a wrong checksum", {v4({}, udp({.checksum = 1}, "hello"))}),
      meets(kBadUdpChecksum, "a wrong checksum over IPv6", {v6({}, udp({.checksum = 1}, "hello"))}),
      meets(kBadUdpChecksum, "none over IPv6", {v6({}, udp({.checksum = 0}, "hello"))}),

  };
}

std::vector<Row> rows() {
  std::vector<Row> all;
  for (const auto& part :
       {taken(), ignored(), malformed_below_ip(), malformed_ip(), malformed_above_ip()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

class PacketFateTest : public DecoderTest, public testing::WithParamInterface<Row> {};

TEST_P(PacketFateTest, IsReached) {
  FrameOptions options = frame_options();
  options.answers.burst = 1;
  options.fragments.datagrams = 1;
  restart(options);
  Verdict verdict = books_->advance(MonotonicNanos(1));
  for (const Bytes& frame : GetParam().frames) verdict = decode(frame).verdict;
  if (GetParam().wait) verdict = books_->advance(MonotonicNanos(1 + kNanosPerSecond));
  EXPECT_EQ(verdict, (Verdict{GetParam().fate, 1, GetParam().frames.back().size()}));
}
INSTANTIATE_TEST_SUITE_P(All, PacketFateTest, testing::ValuesIn(rows()));

TEST(PacketFates, OfTheFrameStageAreAllInTheTable) {
  std::set<PacketFate> shown{PacketFate::kNoDoor};  // said by who looks for the door: the shard
  for (const Row& row : rows()) shown.insert(row.fate);
  EXPECT_EQ(shown.size(), kPacketFates);
}

}  // namespace
}  // namespace penstock::test
