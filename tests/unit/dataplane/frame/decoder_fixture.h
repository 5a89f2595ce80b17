// What the tests of the frame stage share: a decoder, packets for it, and books that are kept as
// the shard keeps them.
#pragma once

#include <memory>
#include <ostream>

#include <gtest/gtest.h>

#include "dataplane/frame/frame_decoder.h"
#include "dataplane/ledger/account.h"
#include "tests/lib/packet_builder.h"
#include "tests/lib/packet_pool.h"

namespace penstock {

inline void PrintTo(PacketFate fate, std::ostream* out) { *out << info(fate).name; }
inline void PrintTo(const Tally& tally, std::ostream* out) {
  *out << tally.count << " packets, " << tally.bytes << " bytes";
}
inline void PrintTo(const Verdict& verdict, std::ostream* out) {
  *out << verdict.packets << " packets, " << verdict.bytes << " bytes: " << info(verdict.fate).name;
}
inline void PrintTo(const IpAddress& address, std::ostream* out) { *out << to_string(address); }

namespace test {

// Our addresses are 10.0.0.2/24, 10.0.7.2/30 and fd00::2/64, our groups 239.1.2.3 and ff05::123.
[[nodiscard]] inline FrameOptions frame_options() {
  FrameOptions options;
  options.ethernet_address = ethernet_address(kOurEthernet);
  for (const std::string_view text : {"10.0.0.2/24", "10.0.7.2/30", "fd00::2/64"}) {
    options.addresses.push_back(*parse_port_address(text));
  }
  options.groups = {ip("239.1.2.3"), ip("ff05::123")};
  options.answers.transmit_chained = true;
  return options;
}

// What decode() said of one packet.
struct Seen {
  Verdict verdict;
  std::string payload;  // with kDecoded
  Datagram datagram;    // its payload is gone
  Bytes answer;         // with a fate of FateClass::kAnswered
};

// Decodes packets and keeps the books. Every packet is freed, and every call leaves the books
// balanced.
class Books {
 public:
  explicit Books(const FrameOptions& options) : decoder_(options) {}

  Seen decode(rte_mbuf* packet) {
    account_.received.add(packet->pkt_len);
    Seen seen;
    seen.verdict = decoder_.decode(packet, UnixNanos(77), seen.datagram);
    if (seen.verdict.fate == PacketFate::kDecoded && seen.verdict.packets != 0) {
      const auto payload = seen.datagram.payload;
      seen.payload.assign(reinterpret_cast<const char*>(payload.data()), payload.size());
    }
    seen.datagram.payload = {};
    if (info(seen.verdict.fate).of == FateClass::kAnswered) seen.answer = content(*packet);
    rte_pktmbuf_free(packet);  // null is allowed
    settle(seen.verdict);
    return seen;
  }

  Verdict advance(MonotonicNanos now) {
    const Verdict expired = decoder_.advance(now);
    settle(expired);
    return expired;
  }

  Verdict give_up() {
    const Verdict rest = decoder_.give_up();
    settle(rest);
    return rest;
  }

  [[nodiscard]] const PortAccount& account() const { return account_; }
  [[nodiscard]] FrameDecoder& decoder() { return decoder_; }
  [[nodiscard]] const Tally& fate(PacketFate fate) { return account_[fate]; }
  [[nodiscard]] Tally decided() const {
    Tally sum;
    for (const Tally& fate : account_.fates) sum += fate;
    return sum;
  }

 private:
  void settle(const Verdict& verdict) {
    account_[verdict.fate].add(verdict.packets, verdict.bytes);
    account_.held = decoder_.held();
    Tally sum = decided();
    sum += account_.held;
    EXPECT_EQ(sum, account_.received) << "the books do not balance";
  }

  FrameDecoder decoder_;
  PortAccount account_;
};

class DecoderTest : public testing::Test {
 protected:
  // No packet buffer is lost, whatever a test does.
  void TearDown() override {
    books_.reset();
    EXPECT_EQ(pool_.in_use(), 0U);
  }
  Books& restart(const FrameOptions& options) {
    books_ = std::make_unique<Books>(options);
    return *books_;
  }
  Seen decode(const Bytes& frame, std::uint64_t flags = 0) {
    rte_mbuf* packet = pool_.exact(frame);
    packet->ol_flags |= flags;
    return books_->decode(packet);
  }

  PacketPool pool_;
  std::unique_ptr<Books> books_ = std::make_unique<Books>(frame_options());
};

}  // namespace test
}  // namespace penstock
