#include "dataplane/port/memif_socket.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include <fmt/format.h>
#include <rte_interrupts.h>

#include "dataplane/port/device.h"

namespace penstock {
namespace {

enum class Owner : std::uint8_t { kNone, kDead, kAlive };

// Asked for a connection of another kind than the driver's, the kernel says whether anybody has the
// socket, and nobody is disturbed.
Owner owner_of(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Owner::kNone;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Owner::kNone;
  const int done = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = done == 0 ? 0 : errno;
  close(fd);
  if (error == ECONNREFUSED) return Owner::kDead;
  return error == 0 || error == EPROTOTYPE || error == EAGAIN ? Owner::kAlive : Owner::kNone;
}

}  // namespace

Result<> free_memif_socket(const std::string& device) {
  const std::string path(device_argument(device, "socket"));
  if (!device.starts_with("net_memif") || path.empty() ||
      device_argument(device, "socket-abstract") != "no" ||
      device_argument(device, "role") == "client") {
    return {};
  }
  switch (owner_of(path)) {
    case Owner::kNone: break;
    case Owner::kDead: unlink(path.c_str()); break;
    case Owner::kAlive:
      return fail(Errc::kBusy,
                  fmt::format("another process has the socket {}: end it, or give this "
                              "port another 'socket'",
                              path));
  }
  return {};
}

}  // namespace penstock

// Stands in front of libc's for the whole process, the drivers' libraries included.
extern "C" ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  const ssize_t sent = syscall(SYS_sendmsg, fd, message, flags);
  const bool gone = sent < 0 && (errno == EPIPE || errno == ECONNRESET);
  if (!gone || rte_thread_is_intr() == 0) return sent;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < message->msg_iovlen; ++i) bytes += message->msg_iov[i].iov_len;
  return static_cast<ssize_t>(bytes);
}
