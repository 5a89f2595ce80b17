#include "dataplane/port/memif_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "dataplane/port/device.h"

namespace penstock {
namespace {

bool nobody_listens(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);  // as the driver's
  if (fd < 0) return false;
  const int done = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool refused = done != 0 && errno == ECONNREFUSED;
  close(fd);
  return refused;
}

}  // namespace

void remove_stale_socket(const std::string& device) {
  const std::string path(device_argument(device, "socket"));
  if (!device.starts_with("net_memif") || path.empty() ||
      device_argument(device, "socket-abstract") != "no" ||
      device_argument(device, "role") == "client") {
    return;
  }
  if (nobody_listens(path)) unlink(path.c_str());
}

}  // namespace penstock
