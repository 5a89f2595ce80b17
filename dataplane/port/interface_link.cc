#include "dataplane/port/interface_link.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/port/device.h"

namespace penstock {

InterfaceLink::InterfaceLink(const std::string& device)
    : asked_(device.starts_with("net_af_packet") || device.starts_with("net_af_xdp")) {
  if (asked_) interface_ = if_nametoindex(std::string(device_argument(device, "iface")).c_str());
}

std::optional<bool> InterfaceLink::up() const {
  if (!asked_) return {};
  ifreq request{};
  if (if_indextoname(interface_, request.ifr_name) == nullptr) return false;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {};
  const bool known = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  close(fd);
  constexpr int kUp = IFF_UP | IFF_RUNNING;
  return known && (request.ifr_flags & kUp) == kUp;
}

}  // namespace penstock
