// A device as a port's configuration names it ("0000:3b:00.0", "net_af_packet0,iface=eth1"), and
// what Penstock adds to that before DPDK gets it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock {

// Whether the string names a PCI device ("0000:3b:00.0", "3b:00.0") rather than a virtual one.
[[nodiscard]] bool is_pci_address(const std::string& device);

// The device's name without its arguments: "net_memif0" of "net_memif0,role=server". A PCI address
// in full and in lower case, as DPDK names it: equal only for the same device.
[[nodiscard]] std::string device_name(const std::string& device);

// The value of an argument: "/run/m" for "socket" in "net_memif0,role=server,socket=/run/m"; empty
// when it is not there.
[[nodiscard]] std::string_view device_argument(std::string_view device, std::string_view key);

// The drivers of virtual devices; such a device's name is its driver's and a number.
[[nodiscard]] std::span<const std::string_view> virtual_drivers();

// A frame may have this much more than the IP packet in it: Ethernet and two VLAN tags.
inline constexpr std::uint32_t kFrameBytesBesideIp = 22;
// Of a packet buffer: what drivers want at least, and what DPDK can count at most, in whole KiB.
inline constexpr std::uint32_t kBufferBytesMin = 2048;
inline constexpr std::uint32_t kBufferBytesMax = 60 * 1024;

// What a port asks of its device.
struct DeviceNeeds {
  unsigned queues = 1;
  std::uint32_t mtu = 1500;
  std::uint32_t receive_descriptors = 1024;
  std::uint32_t buffer_bytes = 0;  // of each packet buffer at least; 0: as the MTU wants it
};

struct DevicePlan {
  std::string device;  // for DPDK: the name in full, the arguments that were left out added
  std::uint32_t buffer_bytes = 0;  // of each packet buffer
};

// - AF_PACKET: a queue for each shard (`qpairs`) and a ring whose frames (`framesz`, `blocksz`)
// hold
//   the longest packet and whose number (`framecnt`) is that of the receive descriptors. Its driver
//   copies each frame into one buffer, so that a buffer is as large.
// - AF_XDP: the kernel writes into the packet buffers; each must fit in a page.
// - memif: the server, who waits for others to come, if no `role` is given.
//
// What the string says already is kept; the error says what in it contradicts the needs.
[[nodiscard]] Result<DevicePlan> plan_device(const std::string& device, const DeviceNeeds& needs);

}  // namespace penstock
