// Fragments through the decoder: put together in any order, or accounted for.
#include <algorithm>
#include <numeric>

#include "tests/unit/dataplane/frame/decoder_fixture.h"

namespace penstock::test {
namespace {

std::string text(std::size_t size) {
  std::string result(size, ' ');
  for (std::size_t i = 0; i < size; ++i) result[i] = static_cast<char>('a' + i % 23);
  return result;
}

std::uint64_t bytes_in(const std::vector<Bytes>& frames) {
  std::uint64_t sum = 0;
  for (const Bytes& frame : frames) sum += frame.size();
  return sum;
}

class FragmentTest : public DecoderTest {
 protected:
  FragmentTest() { advance(1); }

  Verdict advance(std::int64_t now) { return books_->advance(MonotonicNanos(now)); }
  void limit(const FragmentTableOptions& fragments) {
    FrameOptions options = frame_options();
    options.fragments = fragments;
    restart(options);
    advance(1);
  }
  // All frames; what the last one led to.
  Seen decode_all(const std::vector<Bytes>& frames) {
    Seen last;
    for (const Bytes& frame : frames) last = decode(frame);
    return last;
  }
  void expect_whole(const std::vector<Bytes>& frames, const std::string& payload) {
    const Seen seen = decode_all(frames);
    EXPECT_EQ(seen.verdict, (Verdict{PacketFate::kDecoded,
                                     static_cast<std::uint32_t>(frames.size()), bytes_in(frames)}));
    EXPECT_EQ(seen.payload, payload);
    EXPECT_EQ(books_->decoder().held(), Tally{});
  }
};

// A datagram of four fragments of 16 bytes and a rest.
std::vector<Bytes> four(std::uint16_t identification = 1) {
  return fragments_v4({.identification = identification}, udp({}, text(50)), 16);
}
Bytes part(std::uint16_t offset, std::size_t length, bool more = true, std::uint16_t id = 1) {
  return ethernet(
      {}, ipv4({.identification = id, .offset = offset, .more = more}, raw(17, Bytes(length))));
}

// Like the last of them, but beginning within the one before.
Bytes contradicting(const std::vector<Bytes>& frames) {
  const bool v4 = frames[0][12] == std::byte{8};
  if (v4) return part(40, 16);
  return ethernet({}, ipv6({}, fragment_header(40, true, 1, raw(17, Bytes(16)))));
}

TEST_F(FragmentTest, EveryOrderGivesTheDatagram) {
  for (const auto& frames : {four(), fragments_v6({}, udp({}, text(50)), 16)}) {
    ASSERT_EQ(frames.size(), 4U);
    std::vector<std::size_t> order(frames.size());
    std::iota(order.begin(), order.end(), 0U);
    do {
      std::vector<Bytes> mixed;
      for (const std::size_t i : order) mixed.push_back(frames[i]);
      expect_whole(mixed, text(50));
    } while (std::ranges::next_permutation(order).found);
  }
}

TEST_F(FragmentTest, TheDatagramSaysWhoSentIt) {
  const Seen seen =
      decode_all(fragments_v6({}, udp({.source_port = 7, .destination_port = 9}, text(99)), 24));
  EXPECT_EQ(seen.datagram.source, ip("fd00::9"));
  EXPECT_EQ(seen.datagram.destination, ip("fd00::2"));
  EXPECT_EQ(seen.datagram.source_port, 7);
  EXPECT_EQ(seen.datagram.destination_port, 9);
  EXPECT_EQ(seen.datagram.received, UnixNanos(77));
}

TEST_F(FragmentTest, TheLongestDatagramsArePutTogether) {
  auto v4 = fragments_v4({}, udp({}, text(65507)), 1480);
  expect_whole(v4, text(65507));
  std::ranges::reverse(v4);
  expect_whole(v4, text(65507));
  const auto v6 = fragments_v6({}, udp({}, text(65527)), 1232);
  EXPECT_EQ(v6.size(), 54U);
  expect_whole(v6, text(65527));
}

TEST_F(FragmentTest, PaddingOfShortFragmentsIsNotJoinedIn) {
  auto frames = four();
  for (Bytes& frame : frames) frame.resize(60, std::byte{0xEE});
  expect_whole(frames, text(50));
}

TEST_F(FragmentTest, ChainedFragmentsArePutTogether) {
  const auto frames = fragments_v4({}, udp({}, text(3000)), 1480);
  Seen last;
  for (const Bytes& frame : frames) {
    const std::array<std::size_t, 2> cuts{20, std::min<std::size_t>(frame.size(), 700)};
    last = books_->decode(pool_.chained(frame, cuts));
  }
  EXPECT_EQ(last.payload, text(3000));
}

TEST_F(FragmentTest, HeadersBetweenFragmentHeaderAndUdpAreSteppedOver) {
  const Bytes padding{std::byte{1}, std::byte{4}, {}, {}, {}, {}};
  expect_whole(fragments_v6({}, extension(60, padding, udp({}, text(50))), 24), text(50));
}

TEST_F(FragmentTest, AFragmentThatIsTheWholeDatagramIsNone) {
  expect_whole({ethernet({}, ipv6({}, fragment_header(0, false, 5, udp({}, "whole"))))}, "whole");
}

TEST_F(FragmentTest, ARepeatedFragmentIsDroppedAlone) {
  const auto frames = four();
  for (const std::size_t i : {0U, 1U, 0U, 2U, 2U}) static_cast<void>(decode(frames[i]));
  EXPECT_EQ(books_->fate(PacketFate::kBadFragment).count, 2U);
  EXPECT_EQ(decode(frames[3]).payload, text(50));
}

TEST_F(FragmentTest, OverlappingFragmentsCondemnTheirDatagram) {
  const struct {
    std::string_view what;
    std::vector<Bytes> before;
    Bytes overlap;
  } table[] = {
      {"begins in one", {part(0, 16)}, part(8, 16)},
      {"ends in one", {part(16, 16)}, part(8, 16)},
      {"within one", {part(0, 32)}, part(8, 8)},
      {"around one", {part(8, 8)}, part(0, 32)},
      {"the same start, longer", {part(8, 8)}, part(8, 16)},
      {"the same start, shorter", {part(8, 16)}, part(8, 8)},
      {"over two", {part(0, 8), part(16, 8)}, part(0, 24)},
      {"into the gap's end", {part(0, 8), part(16, 8)}, part(8, 16)},
      {"a second end", {part(32, 8, false)}, part(16, 8, false)},
      {"an end before what is there", {part(32, 8)}, part(16, 8, false)},
      {"past the end", {part(16, 8, false)}, part(24, 8)},
  };
  for (const auto& row : table) {
    limit({});
    Bytes all = row.overlap;
    for (const Bytes& frame : row.before) {
      EXPECT_EQ(decode(frame).verdict, Verdict{}) << row.what;
      all = all + frame;
    }
    const auto count = static_cast<std::uint32_t>(row.before.size() + 1);
    EXPECT_EQ(decode(row.overlap).verdict, (Verdict{PacketFate::kBadFragment, count, all.size()}))
        << row.what;
    EXPECT_EQ(books_->decoder().held(), Tally{}) << row.what;
  }
}

TEST_F(FragmentTest, MoreFragmentsThanAreAllowedCondemnTheirDatagram) {
  for (std::uint16_t i = 0; i < kFragmentsPerDatagramMax; ++i) {
    EXPECT_EQ(decode(part(static_cast<std::uint16_t>(8 * i), 8)).verdict, Verdict{});
  }
  const Seen seen = decode(part(8 * kFragmentsPerDatagramMax, 8));
  EXPECT_EQ(seen.verdict.fate, PacketFate::kBadFragment);
  EXPECT_EQ(seen.verdict.packets, kFragmentsPerDatagramMax + 1);
}

// RFC 5722: also those that come later, so that what is left of it is not a datagram again.
TEST_F(FragmentTest, ACondemnedDatagramStaysCondemnedUntilItsTimeIsOver) {
  for (const auto& frames : {four(), fragments_v6({}, udp({}, text(50)), 16)}) {
    limit({.timeout_ns = 1000});
    Bytes overlap = frames[1];
    overlap.resize(overlap.size() - 8);  // IP's own length says more: not a fragment at all
    EXPECT_EQ(decode(overlap).verdict.fate, PacketFate::kBadIpLength);
    static_cast<void>(decode(frames[1]));
    static_cast<void>(decode(frames[2]));
    EXPECT_EQ(decode(contradicting(frames)).verdict.fate, PacketFate::kBadFragment);
    for (const Bytes& frame : frames) {
      EXPECT_EQ(decode(frame).verdict, (Verdict{PacketFate::kBadFragment, 1, frame.size()}));
    }
    EXPECT_EQ(books_->decoder().held(), Tally{});
    EXPECT_EQ(advance(1001).packets, 0U);
    expect_whole(frames, text(50));
  }
}

TEST_F(FragmentTest, AFragmentPastTheLongestDatagramCondemnsIt) {
  const auto frames = four();
  static_cast<void>(decode(frames[0]));
  EXPECT_EQ(decode(part(65528, 16)).verdict.packets, 2U);
  EXPECT_EQ(books_->fate(PacketFate::kBadFragment).count, 2U);
  EXPECT_EQ(decode(frames[1]).verdict.fate, PacketFate::kBadFragment);
  // One of a datagram that nobody knows of is alone, and takes no room.
  EXPECT_EQ(decode(part(65528, 16, true, 9)).verdict.packets, 1U);
  expect_whole(four(9), text(50));
}

TEST_F(FragmentTest, CondemnedDatagramsPushNobodyOut) {
  limit({.datagrams = 4, .packets = 8});
  const auto frames = four(100);
  static_cast<void>(decode(frames[0]));
  for (std::uint16_t id = 0; id < 50; ++id) {
    static_cast<void>(decode(part(0, 16, true, id)));
    EXPECT_EQ(decode(part(8, 16, true, id)).verdict.packets, 2U);
  }
  EXPECT_EQ(decode_all({frames.begin() + 1, frames.end()}).payload, text(50));
}

TEST_F(FragmentTest, WhatIsHeldAtTheEndIsGivenUpAndCounted) {
  for (std::uint16_t id = 0; id < 100; ++id) static_cast<void>(decode(part(0, 8, true, id)));
  EXPECT_EQ(books_->give_up().packets, 100U);
  EXPECT_EQ(books_->decoder().held(), Tally{});
  EXPECT_EQ(books_->fate(PacketFate::kFragmentExpired).count, 100U);
}

TEST_F(FragmentTest, DatagramsThatDifferInAnythingAreNotMixed) {
  const auto one = [](const Ipv4Fields& fields, const EthernetFields& link) {
    Ipv4Fields rest = fields;
    rest.offset = 8;
    return std::pair{ethernet(link, ipv4({.source = fields.source,
                                          .destination = fields.destination,
                                          .identification = fields.identification,
                                          .more = true},
                                         raw(17, Bytes(8)))),
                     ethernet(link, ipv4(rest, raw(17, Bytes(8))))};
  };
  const auto plain = one({}, {});
  const auto others = {
      one({.source = "10.0.0.8"       },
      {}
      ), one({.destination = "10.0.0.255"                          },
      {                          }
      ),
      one({.identification = 2                          },
      {                          }
      ),  one({                          },
      {.vlans = {7}            }
      ),
      one({},
      {.vlans = {0}}
      ),         one({},
      {.vlans = {7, 7}}
      )
  };
  EXPECT_EQ(decode(plain.first).verdict, Verdict{});
  for (const auto& other : others) EXPECT_EQ(decode(other.second).verdict, Verdict{});
  rte_mbuf* stripped = pool_.exact(plain.second);
  stripped->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
  EXPECT_EQ(books_->decode(stripped).verdict, Verdict{});
  EXPECT_EQ(books_->decoder().held().count, others.size() + 2);
}

TEST_F(FragmentTest, TheJoinedChecksumIsVerifiedWhateverTheDeviceSays) {
  FrameOptions options = frame_options();
  options.verify_checksums = false;
  restart(options);
  Seen last;
  for (const Bytes& frame : fragments_v4({}, udp({.checksum = 1}, text(50)), 32)) {
    last = decode(frame, RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD);
  }
  EXPECT_EQ(last.verdict.fate, PacketFate::kBadUdpChecksum);
  EXPECT_EQ(last.verdict.packets, 2U);
}

TEST_F(FragmentTest, WhatWaitsTooLongIsGivenUpFromItsFirstFragmentOn) {
  limit({.timeout_ns = 1000});
  const auto frames = four();
  static_cast<void>(decode(frames[0]));
  advance(900);
  static_cast<void>(decode(frames[1]));
  EXPECT_EQ(advance(1000).packets, 0U);
  EXPECT_EQ(advance(1001),
            (Verdict{PacketFate::kFragmentExpired, 2, frames[0].size() + frames[1].size()}));
  // What comes later is a datagram of its own.
  EXPECT_EQ(decode(frames[2]).verdict, Verdict{});
  EXPECT_EQ(decode(frames[3]).verdict, Verdict{});
}

TEST_F(FragmentTest, ManyThatExpireTogetherAreGivenUpSomeAtACall) {
  limit({.timeout_ns = 1000});
  for (std::uint16_t id = 0; id < 100; ++id) static_cast<void>(decode(part(0, 8, true, id)));
  std::uint32_t sum = 0;
  unsigned calls = 0;
  for (; sum < 100 && calls < 100; ++calls) sum += advance(5000).packets;
  EXPECT_EQ(sum, 100U);
  EXPECT_GT(calls, 1U);
}

TEST_F(FragmentTest, AFullTableGivesUpTheOldestDatagram) {
  limit({.datagrams = 2});
  const auto first = four(1);
  const auto second = four(2);
  const auto third = four(3);
  static_cast<void>(decode(first[0]));
  static_cast<void>(decode(second[0]));
  static_cast<void>(decode(first[1]));
  EXPECT_EQ(decode(third[0]).verdict,
            (Verdict{PacketFate::kFragmentTableFull, 2, first[0].size() + first[1].size()}));
  EXPECT_EQ(decode_all({third.begin() + 1, third.end()}).payload, text(50));
  EXPECT_EQ(decode_all({second.begin() + 1, second.end()}).payload, text(50));
}

TEST_F(FragmentTest, NoMorePacketsAreHeldThanAllowed) {
  limit({.datagrams = 100, .packets = 6});
  const auto first = four(1);
  const auto second = four(2);
  static_cast<void>(decode_all({first.begin(), first.begin() + 3}));
  static_cast<void>(decode_all({second.begin(), second.begin() + 3}));
  // The one that completes its datagram pushes nobody out.
  EXPECT_EQ(decode(second[3]).payload, text(50));
  EXPECT_EQ(decode(first[3]).payload, text(50));
  static_cast<void>(decode_all({first.begin(), first.begin() + 3}));
  static_cast<void>(decode_all({second.begin(), second.begin() + 3}));
  EXPECT_EQ(decode(part(0, 8, true, 3)).verdict.fate, PacketFate::kFragmentTableFull);
  EXPECT_EQ(books_->decoder().held().count, 4U);
}

TEST_F(FragmentTest, ATableOfNothingRefusesEveryFragment) {
  limit({.datagrams = 0});
  EXPECT_EQ(decode(part(0, 8)).verdict.fate, PacketFate::kFragmentTableFull);
  EXPECT_EQ(books_->decoder().held(), Tally{});
}

TEST_F(FragmentTest, WholeDatagramsComeThroughAFloodOfFirstFragments) {
  limit({.datagrams = 8, .packets = 64});
  const auto frames = fragments_v4({.source = "10.0.0.7"}, udp({}, text(50)), 16);
  for (std::uint16_t id = 0; id < 1000; ++id) {
    static_cast<void>(decode(part(0, 8, true, id)));
    if (id % 100 == 0) {
      EXPECT_EQ(decode_all(frames).payload, text(50)) << id;
    }
  }
}

}  // namespace
}  // namespace penstock::test
