#include "tests/unit/dataplane/client/udp_node.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

namespace penstock::client::test {

UdpNode::UdpNode(const FakeNodeOptions& options, std::uint16_t port)
    : node_(options, 99), descriptor_(socket(AF_INET, SOCK_DGRAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  CHECK_EQ(bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  socklen_t bytes = sizeof address;
  CHECK_EQ(getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

void UdpNode::stop() {
  stops_.store(true);
  if (!thread_.joinable()) return;
  thread_.join();
  close(descriptor_);
}

void UdpNode::go_away(const std::string& endpoint) {
  other_ = endpoint;
  goes_away_.store(true);
}

void UdpNode::run() {
  Bytes buffer(65536);
  const std::uint16_t shards = node_.options.shards;
  while (!stops_.load()) {
    pollfd waits{.fd = descriptor_, .events = POLLIN, .revents = 0};
    if (poll(&waits, 1, 10) != 1) continue;
    sockaddr_in from{};
    socklen_t bytes = sizeof from;
    const auto count = recvfrom(descriptor_, buffer.data(), buffer.size(), 0,
                                reinterpret_cast<sockaddr*>(&from), &bytes);
    if (count < 0) continue;
    // As a NIC would: a port always leads to the same shard.
    node_.options.shard =
        static_cast<std::uint16_t>(ntohs(from.sin_port) * 2654435761U >> 16U) % shards;
    const auto datagram = std::span(buffer).first(static_cast<std::size_t>(count));
    if (only_resets_.load()) {
      node_.forget_connections();
      if (load<pdp::FrameHeader>(datagram).connection == 0) continue;
    }
    node_.receive(datagram);
    node_.make_durable(true);
    if (goes_away_.exchange(false)) node_.say_go_away(pdp::GoAwayReason::kRedirect, other_);
    node_.answer();
    std::uint64_t stored = 0;
    for (const auto& [number, session] : node_.sessions) stored += session.stored.size();
    stored_.store(stored);
    for (const Bytes& said : node_.said) {
      sendto(descriptor_, said.data(), said.size(), 0, reinterpret_cast<sockaddr*>(&from), bytes);
    }
    node_.said.clear();
  }
}

}  // namespace penstock::client::test
