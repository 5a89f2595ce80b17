// What the kernel drops in front of an AF_PACKET, AF_XDP or TAP port because the ring to it was
// full, and what DPDK 22.11 does not tell: its net_af_packet and net_tap count no drops at all, its
// net_af_xdp only those for which the kernel had no buffer.
//
// The sockets are the drivers' own; a driver gives no way to ask for them. A TAP's drops are in the
// statistics of its interface.
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

  // After: finds the sockets of `device`, whose interface has this number. False when it is a
  // device that has such sockets, and there are none to be found.
  [[nodiscard]] bool find_sockets(const std::string& device, unsigned interface);

  // Packets dropped since the sockets were made.
  [[nodiscard]] std::uint64_t total();

  // The sockets are about to be closed: the total stays as it was read last.
  void forget_sockets();

 private:
  void add_tap_drops();

  std::vector<int> xdp_before_;
  std::vector<int> packet_;
  std::vector<int> xdp_;
  unsigned tap_ = 0;  // the number of its interface
  std::uint32_t tap_read_ = 0;
  std::uint64_t tap_drops_ = 0;     // the kernel's own count has 32 bits
  std::uint64_t packet_drops_ = 0;  // the kernel's own count begins again with each reading
  std::uint64_t xdp_drops_ = 0;
};

}  // namespace penstock
