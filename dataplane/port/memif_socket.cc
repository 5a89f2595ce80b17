#include "dataplane/port/memif_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace penstock {
namespace {

// The value of `key` in "net_memif0,role=server,socket=/run/m", or empty.
std::string_view argument_of(std::string_view device, std::string_view key) {
  while (!device.empty()) {
    const auto comma = device.find(',');
    const std::string_view argument = device.substr(0, comma);
    const auto equals = argument.find('=');
    if (equals != std::string_view::npos && argument.substr(0, equals) == key) {
      return argument.substr(equals + 1);
    }
    device = comma == std::string_view::npos ? std::string_view{} : device.substr(comma + 1);
  }
  return {};
}

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
  const std::string path(argument_of(device, "socket"));
  if (!device.starts_with("net_memif") || path.empty() ||
      argument_of(device, "socket-abstract") != "no" || argument_of(device, "role") == "client") {
    return;
  }
  if (nobody_listens(path)) unlink(path.c_str());
}

}  // namespace penstock
