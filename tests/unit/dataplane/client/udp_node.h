// The fake node behind a socket of the loopback, in a thread of its own.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "tests/unit/dataplane/client/fake_node.h"

namespace penstock::client::test {

class UdpNode {
 public:
  // On the port, 0: one that is free.
  explicit UdpNode(const FakeNodeOptions& options = {}, std::uint16_t port = 0);
  ~UdpNode() { stop(); }
  UdpNode(const UdpNode&) = delete;
  UdpNode& operator=(const UdpNode&) = delete;

  [[nodiscard]] std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  void go_away(const std::string& endpoint);
  // From now on it forgets its connections and answers no opening.
  void only_reset() { only_resets_.store(true); }
  // After that node() may be looked at.
  void stop();
  [[nodiscard]] FakeNode& node() { return node_; }
  [[nodiscard]] std::uint64_t stored() const { return stored_.load(); }

 private:
  void run();

  FakeNode node_;
  int descriptor_;
  std::uint16_t port_;
  std::atomic<bool> stops_{false};
  std::atomic<bool> goes_away_{false};
  std::atomic<bool> only_resets_{false};
  std::atomic<std::uint64_t> stored_{0};
  std::string other_;
  std::thread thread_;
};

}  // namespace penstock::client::test
