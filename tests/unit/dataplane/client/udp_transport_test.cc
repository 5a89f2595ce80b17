#include "dataplane/client/udp_transport.h"

#include <arpa/inet.h>
#include <poll.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace penstock::client {
namespace {

using Bytes = std::vector<std::byte>;

TEST(EndpointTest, HostAndPortAreTakenApart) {
  EXPECT_EQ(*parse_endpoint("node1"), (Endpoint{"node1", 7373}));
  EXPECT_EQ(*parse_endpoint("node1:99"), (Endpoint{"node1", 99}));
  EXPECT_EQ(*parse_endpoint("[::1]:99"), (Endpoint{"::1", 99}));
  EXPECT_EQ(*parse_endpoint("::1"), (Endpoint{"::1", 7373}));
  EXPECT_EQ(to_string(*parse_endpoint("[::1]:99")), "[::1]:99");
  for (const char* bad : {"", ":1", "a:", "a:0", "a:70000", "a:1x", "[::1", "[::1]9"}) {
    const auto endpoint = parse_endpoint(bad);
    ASSERT_FALSE(endpoint.has_value()) << bad;
    EXPECT_EQ(endpoint.error().code, Errc::kInvalidArgument);
  }
}

// The other end: a plain socket of the loopback.
class UdpTransportTest : public testing::Test {
 protected:
  void SetUp() override {
    descriptor_ = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t bytes = sizeof address;
    getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &bytes);
    port_ = ntohs(address.sin_port);
  }
  void TearDown() override { close(descriptor_); }
  std::unique_ptr<UdpTransport> connect(const UdpOptions& options = {}) const {
    const auto addresses = resolve({"127.0.0.1", port_});
    EXPECT_TRUE(addresses.has_value());
    auto transport = UdpTransport::connect(addresses->front(), options);
    EXPECT_TRUE(transport.has_value());
    return std::move(*transport);
  }
  // The lengths of what comes, `count` of them.
  std::vector<std::size_t> lengths(std::size_t count) {
    std::vector<std::size_t> lengths;
    Bytes buffer(65536);
    pollfd waits{.fd = descriptor_, .events = POLLIN, .revents = 0};
    while (lengths.size() < count && poll(&waits, 1, 5000) == 1) {
      sockaddr_in from{};
      socklen_t bytes = sizeof from;
      const auto n = recvfrom(descriptor_, buffer.data(), buffer.size(), 0,
                              reinterpret_cast<sockaddr*>(&from), &bytes);
      EXPECT_GE(n, 0);
      lengths.push_back(static_cast<std::size_t>(n));
      peer_ = from;
    }
    return lengths;
  }
  int descriptor_ = -1;
  std::uint16_t port_ = 0;
  sockaddr_in peer_{};
};

void expect_as_sent(const std::vector<std::size_t>& sent, UdpTransport& transport,
                    const std::vector<std::size_t>& came) {
  EXPECT_EQ(came, sent);
  EXPECT_EQ(transport.statistics().datagrams_sent, sent.size());
}

TEST_F(UdpTransportTest, DatagramsArriveAsTheyWereWithAndWithoutSegments) {
  const std::vector<std::size_t> sizes = {1200, 1400, 1400, 1400, 700, 1400, 1400, 32, 32, 48};
  for (const bool segments : {true, false}) {
    const auto transport = connect({.segments = segments});
    std::vector<Bytes> bytes;
    std::vector<Transport::Datagram> datagrams;
    for (const std::size_t size : sizes) bytes.emplace_back(size);
    for (const Bytes& one : bytes) datagrams.emplace_back(one);
    EXPECT_EQ(transport->send(datagrams), sizes.size());
    expect_as_sent(sizes, *transport, lengths(sizes.size()));
  }
}

TEST_F(UdpTransportTest, ManyEqualDatagramsTakeFewCalls) {
  const auto transport = connect();
  const Bytes bytes(200);
  const std::vector<Transport::Datagram> datagrams(100, Transport::Datagram(bytes));
  EXPECT_EQ(transport->send(datagrams), 100U);
  EXPECT_EQ(transport->statistics().calls_sent, 2U);
  EXPECT_EQ(lengths(100).size(), 100U);
}

TEST_F(UdpTransportTest, AnswersComeBackManyAtATime) {
  const auto transport = connect();
  const Bytes hello(64);
  const std::array<Transport::Datagram, 1> datagram = {Transport::Datagram(hello)};
  ASSERT_EQ(transport->send(datagram), 1U);
  ASSERT_EQ(lengths(1).size(), 1U);
  for (std::size_t i = 1; i <= 5; ++i) {
    const Bytes answer(i * 100);
    ASSERT_EQ(sendto(descriptor_, answer.data(), answer.size(), 0,
                     reinterpret_cast<sockaddr*>(&peer_), sizeof peer_),
              static_cast<ssize_t>(answer.size()));
  }
  std::array<Transport::Datagram, 8> out;
  std::size_t count = 0;
  pollfd waits{.fd = transport->descriptor(), .events = POLLIN, .revents = 0};
  while (count < 5 && poll(&waits, 1, 5000) == 1) count += transport->receive(out);
  EXPECT_EQ(count, 5U);
}

TEST_F(UdpTransportTest, AHostWhereNobodyListensIsCountedAndSendingGoesOn) {
  const auto transport = connect();
  close(descriptor_);
  const Bytes hello(64);
  const std::array<Transport::Datagram, 1> datagram = {Transport::Datagram(hello)};
  std::array<Transport::Datagram, 8> out;
  pollfd waits{.fd = transport->descriptor(), .events = POLLIN, .revents = 0};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(transport->send(datagram), 1U);
    poll(&waits, 1, 1000);  // for the host's word
    EXPECT_EQ(transport->receive(out), 0U);
  }
  EXPECT_GE(transport->statistics().refused, 4U);
  descriptor_ = dup(transport->descriptor());
}

TEST_F(UdpTransportTest, WhatTheLinkDoesNotTakeIsTakenForLostAndToldOnce) {
  const auto transport = connect();
  const Bytes bytes(65'530);
  const std::array<Transport::Datagram, 1> datagram = {Transport::Datagram(bytes)};
  EXPECT_EQ(transport->send(datagram), 1U);
  EXPECT_EQ(transport->take_refused_length(), bytes.size());
  EXPECT_EQ(transport->take_refused_length(), 0U);
}

// ---- Links of an MTU -----------------------------------------------------------------------

constexpr std::size_t kTaken = 1472;
bool cuts = true;

// sendmmsg() of a link that takes 1,500 bytes, as the kernel has it: what is to be cut longer fails
// as a whole.
int send_over_ethernet(int descriptor, mmsghdr* messages, unsigned count, int flags) {
  for (unsigned i = 0; i < count; ++i) {
    const msghdr& message = messages[i].msg_hdr;
    const bool is_cut = message.msg_controllen != 0;
    if ((!is_cut || cuts) && message.msg_iov[0].iov_len <= kTaken) continue;
    if (i != 0) return sendmmsg(descriptor, messages, i, flags);
    errno = is_cut ? EINVAL : EMSGSIZE;
    return -1;
  }
  return sendmmsg(descriptor, messages, count, flags);
}

TEST_F(UdpTransportTest, AProbeThatTheLinkDoesNotTakeTakesNoFrameWithIt) {
  cuts = true;
  const auto transport = connect({.send = &send_over_ethernet});
  const Bytes probe(3872);
  const Bytes frame(1400);
  for (const std::size_t frames : {1U, 40U}) {
    std::vector<Transport::Datagram> datagrams = {Transport::Datagram(probe)};
    datagrams.resize(1 + frames, Transport::Datagram(frame));
    EXPECT_EQ(transport->send(datagrams), datagrams.size());
    EXPECT_EQ(lengths(frames), std::vector(frames, frame.size()));
    EXPECT_EQ(transport->take_refused_length(), probe.size());
  }
  EXPECT_EQ(transport->statistics().too_long, 2U);
  EXPECT_EQ(transport->statistics().failed, 0U);
  // And cutting goes on.
  const std::uint64_t calls = transport->statistics().calls_sent;
  const std::vector<Transport::Datagram> datagrams(40, Transport::Datagram(frame));
  EXPECT_EQ(transport->send(datagrams), 40U);
  EXPECT_EQ(transport->statistics().calls_sent, calls + 1);
  EXPECT_EQ(lengths(40).size(), 40U);
}

TEST_F(UdpTransportTest, WhereNothingCanBeCutItIsTriedOnce) {
  cuts = false;
  const auto transport = connect({.send = &send_over_ethernet});
  const Bytes frame(1400);
  const std::vector<Transport::Datagram> datagrams(10, Transport::Datagram(frame));
  for (const std::uint64_t calls : {2U, 3U}) {
    EXPECT_EQ(transport->send(datagrams), 10U);
    EXPECT_EQ(transport->statistics().calls_sent, calls);
    EXPECT_EQ(lengths(10).size(), 10U);
  }
}

}  // namespace
}  // namespace penstock::client
