#include "tests/unit/dataplane/door/pdp/node/node_fixture.h"

namespace penstock::pdp {
namespace {

class SealedPdpSession : public PdpNodeTest {
 protected:
  static constexpr Nonce kNonce{std::byte{7}};

  SealedPdpSession() {
    keys_ = KeyRing::parse("web " + std::string(62, '0') + "2a\n", "keys").value();
    key_ = *keys_.find("web");
    NodeOptions options = default_options();
    options.keys = &keys_;
    options.key_networks.push_back(parse_network("10.0.0.0/29").value());
    restart(std::move(options));
  }

  void open_sealed(const ProducerKey& key, std::string_view name = "web") {
    const CookieBody cookie = hello(kNonce);
    sealed_ = true;
    producer_key_ = open_key(key, kNonce, cookie.cookie);
    packet_ = ~std::uint64_t{0};  // the next one is 0
    open({.nonce = kNonce,
          .issued_ns = cookie.issued_ns,
          .cookie = cookie.cookie,
          .level = Level::kReceived,
          .frame_bytes_max = 1400},
         {}, "one", name);
    if (outbox_.sent.empty()) return;
    const auto frame = outbox_.sent.back().bytes;
    connection_ = load<FrameHeader>(frame).connection;
    if (connection_ == 0) return;
    const auto accept = last<AcceptBody>(FrameType::kAccept);
    producer_key_ = producer_frames_key(key, kNonce, cookie.cookie, accept.node_nonce);
    node_key_ = node_frames_key(key, kNonce, cookie.cookie, accept.node_nonce);
    EXPECT_TRUE(sealer_.verify(frame, node_key_));
    packet_ = 0;
  }

  KeyRing keys_;
  ProducerKey key_{};
};

TEST_F(SealedPdpSession, BothEndsSealTheirFrames) {
  open_sealed(key_);
  data(0, 2);
  turn();
  EXPECT_TRUE(sealer_.verify(outbox_.sent.back().bytes, node_key_));
  EXPECT_EQ(last<AckBody>(FrameType::kAck).received, 2U);
}

TEST_F(SealedPdpSession, AnotherKeyOrAnUnknownOneIsRefused) {
  ProducerKey other = key_;
  other[0] ^= std::byte{1};
  open_sealed(other);
  EXPECT_EQ(last<RefuseBody>(FrameType::kRefuse).reason, RefuseReason::kKeyWrong);
  sealed_ = false;
  open_sealed(key_, "nobody");
  EXPECT_EQ(last<RefuseBody>(FrameType::kRefuse).reason, RefuseReason::kKeyWrong);
}

TEST_F(SealedPdpSession, AnAddressThatNeedsAKeyIsRefusedWithoutOne) {
  const CookieBody cookie = hello(kNonce, {.host = 3});
  const OpenBody body{.nonce = kNonce,
                      .issued_ns = cookie.issued_ns,
                      .cookie = cookie.cookie,
                      .level = Level::kReceived,
                      .frame_bytes_max = 1400};
  open(body, {.host = 3});
  EXPECT_EQ(last<RefuseBody>(FrameType::kRefuse).reason, RefuseReason::kKeyNeeded);
  open_at(Level::kReceived, 0, {.host = 9});
  EXPECT_NE(connection_, 0U) << "outside of the range none is needed";
}

TEST_F(SealedPdpSession, ForgedUnsealedAndReplayedFramesDoNothing) {
  open_sealed(key_);
  auto forged = frame_of(FrameType::kData, DataBody{0, 1, 5}, messages(0, 1));
  forged[40] ^= std::byte{1};
  deliver(forged);
  sealed_ = false;
  data(0, 1);
  sealed_ = true;
  const auto good = frame_of(FrameType::kData, DataBody{0, 1, 5}, messages(0, 1));
  deliver(good);
  deliver(good);
  EXPECT_EQ(count(FrameFate::kBadSeal), 1U);
  EXPECT_EQ(count(FrameFate::kUnsealed), 1U);
  EXPECT_EQ(count(FrameFate::kReplayed), 1U);
  EXPECT_EQ(ack().received, 1U);
}

}  // namespace
}  // namespace penstock::pdp
