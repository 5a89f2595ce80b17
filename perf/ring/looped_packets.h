// A port that hands the same packets out again and again: what a shard can do when packets cost
// nothing to get.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "dataplane/port/port.h"

struct rte_mempool;

namespace penstock::ring {

inline constexpr std::uint16_t kPort = 5140;
inline constexpr std::array<std::byte, 6> kEthernetAddress{
    std::byte{2}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}};

// A UDP packet over IPv4 from 10.77.0.2 to 10.77.0.1 and kEthernetAddress, checksums included.
[[nodiscard]] std::vector<std::byte> packet_of(const std::string& payload, std::uint16_t port);

// A queue that counts what it handed out.
class PacketSource : public PortQueue {
 public:
  [[nodiscard]] virtual std::uint64_t received() const = 0;
};

// One thread. Packets stay the queue's: each is held twice when it is handed out.
class LoopedPackets final : public PacketSource {
 public:
  LoopedPackets(const std::vector<std::byte>& packet, unsigned count);
  ~LoopedPackets() override;
  LoopedPackets(const LoopedPackets&) = delete;
  LoopedPackets& operator=(const LoopedPackets&) = delete;

  std::uint16_t receive(std::span<rte_mbuf*> packets) override;
  std::uint16_t transmit(std::span<rte_mbuf*> /*packets*/) override { return 0; }
  rte_mbuf* buffer() override { return nullptr; }
  [[nodiscard]] std::uint64_t received() const override { return received_; }

 private:
  rte_mempool* pool_ = nullptr;
  std::vector<rte_mbuf*> packets_;
  std::size_t next_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace penstock::ring
