// After any mix of packets: received = sum of all fates + held, in packets and in bytes.
#include <algorithm>

#include "base/rng.h"
#include "tests/lib/sanitized.h"
#include "tests/unit/dataplane/frame/decoder_fixture.h"

namespace penstock::test {
namespace {

class Mix {
 public:
  explicit Mix(std::uint64_t seed) : rng_(seed) {}

  // The frames of one thing that a host might send, some of them damaged or lost, in any order.
  std::vector<Bytes> next() {
    std::vector<Bytes> frames = whole();
    for (std::size_t i = frames.size(); i > 1; --i) std::swap(frames[i - 1], frames[rng_.below(i)]);
    if (frames.size() > 1 && rng_.below(3) == 0) frames.pop_back();
    if (rng_.below(8) == 0) frames.push_back(frames.front());
    for (Bytes& frame : frames) damage(frame);
    return frames;
  }
  Rng& rng() { return rng_; }

 private:
  std::vector<Bytes> whole() {
    const auto id = static_cast<std::uint16_t>(rng_.below(16));
    const std::string payload(rng_.below(4) == 0 ? rng_.below(6000) : rng_.below(100), 'p');
    const std::string_view target = rng_.below(4) == 0 ? "fd00::3" : "fd00::2";
    EthernetFields link;
    if (rng_.below(4) == 0) link.vlans.assign(rng_.below(4), 7);
    switch (rng_.below(10)) {
      case 0:
        return fragments_v4({.identification = id}, udp({}, payload), 8 + 8 * rng_.below(200));
      case 1: return fragments_v6({}, udp({}, payload), 8 + 8 * rng_.below(200), id);
      case 2: return {ethernet(link, arp({}))};
      case 3: return {ethernet(link, ipv4({}, icmp({}, Bytes(4) + bytes_of(payload))))};
      case 4:
        return {ethernet(link, ipv6({}, icmpv6({.type = 128}, Bytes(4) + bytes_of(payload))))};
      case 5: return {ethernet(link, ipv6({.hop_limit = 255}, solicitation(target, {})))};
      case 6: return {ethernet(link, ipv6({}, hop_by_hop(udp({}, payload))))};
      case 7: return {Bytes(rng_.below(100), static_cast<std::byte>(rng_.next()))};
      case 8: return {ethernet(link, ipv6({}, udp({}, payload)))};
      default: return {ethernet(link, ipv4({}, udp({}, payload)))};
    }
  }
  void damage(Bytes& frame) {
    if (!frame.empty() && rng_.below(4) == 0) {
      frame[rng_.below(frame.size())] = static_cast<std::byte>(rng_.next());
    }
    if (rng_.below(10) == 0) frame.resize(rng_.below(frame.size() + 1));
    if (rng_.below(10) == 0) frame.resize(frame.size() + rng_.below(20));
  }

  Rng rng_;
};

class PacketLawTest : public DecoderTest {
 protected:
  rte_mbuf* packet_of(const Bytes& frame, Rng& rng) {
    std::vector<std::size_t> cuts;
    for (std::size_t at = 1500; at < frame.size(); at += 1500) cuts.push_back(at);
    if (rng.below(4) == 0) {
      for (std::uint64_t left = rng.below(4); left > 0; --left) {
        cuts.push_back(rng.below(frame.size() + 1));
      }
      std::ranges::sort(cuts);
    }
    rte_mbuf* packet =
        rng.below(2) == 0 && cuts.empty() ? pool_.exact(frame) : pool_.chained(frame, cuts);
    if (rng.below(4) == 0) packet->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    if (rng.below(4) == 0) {
      packet->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    }
    return packet;
  }
};

TEST_F(PacketLawTest, HoldsAfterEveryPacketOfARandomMix) {
  FrameOptions options = frame_options();
  options.fragments = {.datagrams = 8, .packets = 64, .timeout_ns = 10'000};
  options.answers = {.answers_per_second = 1'000'000, .burst = 8, .transmit_chained = true};
  restart(options);
  Mix mix(3);
  constexpr std::uint64_t kCases = test::kSanitized ? 100'000 : 200'000;
  std::uint64_t failed = 0;
  MonotonicNanos now(1);
  while (books_->account().received.count < kCases) {
    for (const Bytes& frame : mix.next()) {
      now += static_cast<std::int64_t>(mix.rng().below(500));
      static_cast<void>(books_->advance(now));
      static_cast<void>(books_->decode(packet_of(frame, mix.rng())));
      Tally sum = books_->decided();
      sum += books_->decoder().held();
      if (sum != books_->account().received) ++failed;
      ASSERT_FALSE(HasFailure()) << "packet " << books_->account().received.count;
    }
  }
  // The mix is no proof of what it does not reach.
  for (const PacketFate fate :
       {PacketFate::kDecoded, PacketFate::kArpAnswered, PacketFate::kNeighbourAnswered,
        PacketFate::kEchoAnswered, PacketFate::kFragmentExpired, PacketFate::kFragmentTableFull,
        PacketFate::kBadFragment, PacketFate::kNoBuffer}) {
    EXPECT_GT(books_->fate(fate).count, 100U) << info(fate).name;
  }
  std::printf("FIGURE name=packet_law cases=%llu failed=%llu\n",
              static_cast<unsigned long long>(books_->account().received.count),
              static_cast<unsigned long long>(failed));
}

}  // namespace
}  // namespace penstock::test
