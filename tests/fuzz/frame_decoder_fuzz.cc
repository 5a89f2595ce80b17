// Packets of any content, whole, chained and in fragments: nothing is read out of bounds, and the
// books balance after each: received = sum of all fates + held.
#include "base/check.h"
#include "dataplane/frame/frame_decoder.h"
#include "dataplane/port/eal.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_packet.h"

using namespace penstock;

namespace {

constexpr std::uint64_t kChecksumsGood = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;

// 10.0.0.2/30 and fd00::2, station 02:00:00:00:00:01; small tables, so that they are soon full.
FrameOptions options_of(std::uint8_t choice) {
  FrameOptions options;
  options.ethernet_address = {std::byte{2}, {}, {}, {}, {}, std::byte{1}};
  options.addresses = {*parse_port_address("10.0.0.2/30"), *parse_port_address("fd00::2")};
  options.groups = {*parse_ip("239.1.2.3")};
  options.any_address = (choice & 1U) != 0;
  options.verify_checksums = (choice & 2U) != 0;
  options.answers = {
      .answers_per_second = 1000, .burst = 4, .transmit_chained = (choice & 4U) != 0};
  options.fragments = {.datagrams = 3, .packets = 8, .timeout_ns = 100, .hash_seed = choice};
  return options;
}

void check_payload(const Datagram& datagram) {
  std::byte all{};
  for (const std::byte one : datagram.payload) all ^= one;  // AddressSanitizer looks on
  [[maybe_unused]] const volatile std::byte used = all;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  CHECK(start_eal({
      .program = "fuzz",
      .hugepages = HugepageUse::kNever,
      .memory_bytes = 32U << 20U,
      .extra_args = {"--no-shconf", "--no-telemetry"}
  }));
  return 0;
}

// One byte of options, then packets: how it comes, how long it is, its bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::PacketMaker maker;
  fuzz::FuzzInput input(data, size);
  PortAccount account;
  MonotonicNanos now(1);
  {
    FrameDecoder decoder(options_of(input.number<std::uint8_t>()));
    while (!input.empty()) {
      const auto how = input.number<std::uint8_t>();
      const auto frame = input.bytes(input.number<std::uint16_t>());
      if ((how & 0x80U) != 0) now += 60;
      const Verdict expired = decoder.advance(now);
      account[expired.fate].add(expired.packets, expired.bytes);
      rte_mbuf* packet = maker.make(frame, static_cast<fuzz::Shape>(how & 3U), (how & 4U) != 0);
      if ((how & 8U) != 0) packet->ol_flags |= kChecksumsGood;
      if ((how & 16U) != 0) packet->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
      account.received.add(packet->pkt_len);
      Datagram datagram;
      const Verdict verdict = decoder.decode(packet, UnixNanos(5), datagram);
      account[verdict.fate].add(verdict.packets, verdict.bytes);
      if (verdict.fate == PacketFate::kDecoded && verdict.packets != 0) check_payload(datagram);
      rte_pktmbuf_free(packet);
      Tally sum = decoder.held();
      for (const Tally& fate : account.fates) sum += fate;
      CHECK_EQ(sum.count, account.received.count);
      CHECK_EQ(sum.bytes, account.received.bytes);
    }
  }
  CHECK_EQ(maker.in_use(), 0U);
  return 0;
}
