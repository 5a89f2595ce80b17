#include "dataplane/port/kernel_drops.h"

#include <dirent.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>

namespace penstock {
namespace {

template <class T>
std::optional<T> socket_option(int fd, int level, int name) {
  T value{};
  socklen_t bytes = sizeof value;
  if (getsockopt(fd, level, name, &value, &bytes) != 0) return {};
  return value;
}

// This process's sockets of a family, by descriptor.
std::vector<int> open_sockets(int family) {
  struct CloseFolder {
    void operator()(DIR* folder) const { closedir(folder); }
  };
  std::vector<int> found;
  const std::unique_ptr<DIR, CloseFolder> folder(opendir("/proc/self/fd"));
  if (folder == nullptr) return found;
  while (const dirent* entry = readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    if (fd >= 0 && socket_option<int>(fd, SOL_SOCKET, SO_DOMAIN) == family) found.push_back(fd);
  }
  return found;
}

// The driver joins each of its sockets to a fanout group; a capture of the same interface (libpcap)
// is in none.
bool receives_for_driver(int fd, unsigned interface) {
  sockaddr_ll bound{};
  socklen_t bytes = sizeof bound;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &bytes) != 0) return false;
  return static_cast<unsigned>(bound.sll_ifindex) == interface &&
         socket_option<int>(fd, SOL_PACKET, PACKET_FANOUT).value_or(0) != 0;
}

}  // namespace

KernelDrops::KernelDrops() : xdp_before_(open_sockets(AF_XDP)) {}

bool KernelDrops::find_sockets(const std::string& device, unsigned interface) {
  if (device.starts_with("net_af_packet")) {
    packet_ = open_sockets(AF_PACKET);
    std::erase_if(packet_, [&](int fd) { return !receives_for_driver(fd, interface); });
    return !packet_.empty();
  }
  if (device.starts_with("net_af_xdp")) {
    xdp_ = open_sockets(AF_XDP);
    std::erase_if(xdp_, [&](int fd) { return std::ranges::count(xdp_before_, fd) != 0; });
    return !xdp_.empty();
  }
  if (device.starts_with("net_tap")) tap_ = interface;
  return true;
}

// What the host sends to the device is, for its interface, transmitted.
void KernelDrops::add_tap_drops() {
  ifaddrs* all = nullptr;
  std::array<char, IF_NAMESIZE> name{};
  if (if_indextoname(tap_, name.data()) == nullptr || getifaddrs(&all) != 0) return;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    const bool counts = one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_PACKET &&
                        one->ifa_data != nullptr && name.data() == std::string_view(one->ifa_name);
    if (!counts) continue;
    const std::uint32_t now = static_cast<const rtnl_link_stats*>(one->ifa_data)->tx_dropped;
    tap_drops_ += now - tap_read_;
    tap_read_ = now;
  }
  freeifaddrs(all);
}

std::uint64_t KernelDrops::total() {
  add_tap_drops();
  for (const int fd : packet_) {
    const auto since = socket_option<tpacket_stats>(fd, SOL_PACKET, PACKET_STATISTICS);
    if (since) packet_drops_ += since->tp_drops;
  }
  std::uint64_t xdp = 0;
  for (const int fd : xdp_) {
    const auto all = socket_option<xdp_statistics>(fd, SOL_XDP, XDP_STATISTICS);
    if (all) xdp += all->rx_ring_full;
  }
  xdp_drops_ = std::max(xdp_drops_, xdp);
  return packet_drops_ + xdp_drops_ + tap_drops_;
}

void KernelDrops::forget_sockets() {
  packet_.clear();
  xdp_.clear();
  tap_ = 0;
}

}  // namespace penstock
