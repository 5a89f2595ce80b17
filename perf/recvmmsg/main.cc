// A plain receiver, as one would write it in an afternoon: recvmmsg(2) into a buffer, a newline
// behind each message, write(2) when the buffer is full.
//
//   recvmmsg PORT FILE    until SIGTERM; prints how many messages it received
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "perf/arguments.h"

namespace {

using penstock::number_of;

constexpr unsigned kBatch = 64;
constexpr std::size_t kMessageBytes = 2048;
constexpr std::size_t kBufferBytes = 1U << 20U;
constexpr int kSocketBytes = 8 << 20;

volatile std::sig_atomic_t stop = 0;

bool write_all(int file, std::vector<char>& buffer, std::size_t& used) {
  const ssize_t n = write(file, buffer.data(), used);
  const bool whole = n == static_cast<ssize_t>(used);
  used = 0;
  return whole;
}

std::uint64_t receive_all(int socket, int file) {
  std::vector<char> messages(kBatch * kMessageBytes);
  std::array<iovec, kBatch> parts;
  std::array<mmsghdr, kBatch> batch{};
  for (unsigned i = 0; i < kBatch; ++i) {
    parts[i] = {messages.data() + i * kMessageBytes, kMessageBytes};
    batch[i].msg_hdr.msg_iov = &parts[i];
    batch[i].msg_hdr.msg_iovlen = 1;
  }
  std::vector<char> buffer(kBufferBytes);
  std::size_t used = 0;
  std::uint64_t received = 0;
  while (stop == 0) {
    const int n = recvmmsg(socket, batch.data(), kBatch, MSG_WAITFORONE, nullptr);
    if (n < 0 && used > 0 && !write_all(file, buffer, used)) return received;  // nothing came
    for (int i = 0; i < n; ++i) {
      const auto index = static_cast<unsigned>(i);
      if (used + kMessageBytes + 1 > kBufferBytes && !write_all(file, buffer, used))
        return received;
      std::memcpy(buffer.data() + used, messages.data() + index * kMessageBytes,
                  batch[index].msg_len);
      used += batch[index].msg_len;
      buffer[used++] = '\n';
      ++received;
    }
  }
  return write_all(file, buffer, used) ? received : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: recvmmsg PORT FILE\n");
    return 2;
  }
  struct sigaction action{};
  action.sa_handler = [](int) { stop = 1; };
  sigaction(SIGTERM, &action, nullptr);
  const auto port = number_of<std::uint16_t>(argv[1]);
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBytes, sizeof kSocketBytes);
  const timeval patience{.tv_sec = 0, .tv_usec = 100'000};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  const int file = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0 || bind(socket, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
    fmt::print(stderr, "recvmmsg: cannot open {} or bind port {}\n", argv[2], port);
    return 1;
  }
  fmt::print("{}\n", receive_all(socket, file));
  return 0;
}
