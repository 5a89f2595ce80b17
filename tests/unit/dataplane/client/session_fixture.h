// A session, a fake node, and what tests of the session do with them.
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/dataplane/client/session_world.h"

namespace penstock::client::test {

inline SessionOptions usual() {
  SessionOptions options;
  options.name = std::as_bytes(std::span("test", 4));
  options.frames = 64;
  options.linger_ns = kNanosPerMilli;
  return options;
}

class SessionFixture : public testing::Test {
 protected:
  void make(const SessionOptions& options = usual(), const FakeNodeOptions& node = {},
            const NetworkOptions& network = {}) {
    world_ = std::make_unique<SessionWorld>(options, node, network, 1);
  }
  void open(const SessionOptions& options = usual(), const FakeNodeOptions& node = {},
            const NetworkOptions& network = {}) {
    make(options, node, network);
    world_->core->open(world_->now, Path::kAnother);
    ASSERT_TRUE(world_->run_until([&] { return world_->core->is_connected(); }));
  }
  void append(int messages, const std::string& subject = "a.b", std::size_t bytes = 64) {
    for (int i = 0; i < messages; ++i) ASSERT_TRUE(world_->append(subject, bytes));
  }
  // As if the node had said it.
  template <class Body>
  void hear(pdp::FrameType type, const Body& body) {
    std::array<std::byte, sizeof(pdp::FrameHeader) + sizeof body> frame{};
    pdp::encode_frame(std::span(frame), type, world_->session().connection, body);
    world_->core->receive(frame, world_->now);
  }
  [[nodiscard]] std::uint64_t drops(DatagramDrop drop) const {
    return world_->core->statistics().drops[static_cast<std::size_t>(drop)];
  }
  [[nodiscard]] std::uint64_t outcomes(Outcome outcome) const {
    return world_->core->statistics().outcomes[static_cast<std::size_t>(outcome)];
  }
  std::unique_ptr<SessionWorld> world_;
};

}  // namespace penstock::client::test
