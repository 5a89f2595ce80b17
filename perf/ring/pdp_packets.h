// A producer of PDP as a port: opens a session, then hands out the same DATA frame again and again,
// with the next sequence each time.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/rng.h"
#include "dataplane/client/session_core.h"
#include "perf/ring/looped_packets.h"

namespace penstock::ring {

inline constexpr std::uint16_t kPdpPort = 7373;

struct PdpShape {
  std::size_t frame_bytes = 1472;
  std::size_t message_bytes = 64;
  pdp::Level level = pdp::Level::kReceived;
};

// One thread. Answers are looked at until the session is open, and only freed after that.
class PdpPackets final : public PacketSource, private client::SessionListener {
 public:
  PdpPackets(const PdpShape& shape, unsigned count, Clock& clock);
  ~PdpPackets() override;
  PdpPackets(const PdpPackets&) = delete;
  PdpPackets& operator=(const PdpPackets&) = delete;

  std::uint16_t receive(std::span<rte_mbuf*> packets) override;
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override;
  rte_mbuf* buffer() override;
  [[nodiscard]] std::uint64_t received() const override { return received_; }

  [[nodiscard]] bool is_open() const { return looped_ != nullptr; }
  [[nodiscard]] unsigned messages() const { return messages_; }  // of a frame

 private:
  void on_report(const client::DeliveryReport& /*report*/) override {}
  void on_event(client::SessionEvent event) override;
  void make_frame();
  void number(rte_mbuf& packet);

  PdpShape shape_;
  unsigned count_;
  Clock& clock_;
  Rng rng_;
  client::SessionCore core_;
  rte_mempool* pool_ = nullptr;
  std::unique_ptr<LoopedPackets> looped_;
  bool opened_ = false;
  unsigned messages_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint32_t sum_ = 0;  // of the UDP datagram without its sequence and checksum
  std::uint64_t received_ = 0;
};

}  // namespace penstock::ring
