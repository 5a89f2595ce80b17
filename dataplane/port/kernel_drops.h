// What the kernel drops in front of an AF_PACKET or AF_XDP port because the ring to it was full,
// and what DPDK 22.11 does not tell: its net_af_packet counts no drops at all, its net_af_xdp only
// those for which the kernel had no buffer.
//
// The sockets are the drivers' own; a driver gives no way to ask for them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace penstock {

// One thread, which is not a shard's: each question is a system call.
class KernelDrops {
 public:
  // Before the device's queues are set up: what the process has open then is not the device's.
  KernelDrops();

  // After: finds the sockets of `device`. False when it is a device that has such sockets, and
  // there are none to be found.
  [[nodiscard]] bool find_sockets(const std::string& device);

  // Packets dropped since the sockets were made.
  [[nodiscard]] std::uint64_t total();

  // The sockets are about to be closed: the total stays as it was read last.
  void forget_sockets();

 private:
  std::vector<int> xdp_before_;
  std::vector<int> packet_;
  std::vector<int> xdp_;
  std::uint64_t packet_drops_ = 0;  // the kernel's own count begins again with each reading
  std::uint64_t xdp_drops_ = 0;
};

}  // namespace penstock
