// Sends syslog datagrams through the kernel at a steady rate: the same sender for every receiver.
//
//   udp_send ADDRESS PORT RATE SECONDS    prints how many were sent
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <string>

#include <fmt/format.h>

namespace {

constexpr unsigned kBatch = 16;
constexpr std::size_t kBytes = 256;

unsigned number_of(std::string_view text) {
  unsigned number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Paced in small batches; a batch that is late is sent at once, so that the average holds.
std::uint64_t send_all(int socket, unsigned rate, unsigned seconds) {
  std::string message = "<134>1 2026-01-01T00:00:00.000000Z host1 sender 4711 - - ";
  while (message.size() < kBytes) message += static_cast<char>('a' + message.size() % 26);
  std::array<iovec, kBatch> parts;
  std::array<mmsghdr, kBatch> batch{};
  for (unsigned i = 0; i < kBatch; ++i) {
    parts[i] = {message.data(), message.size()};
    batch[i].msg_hdr.msg_iov = &parts[i];
    batch[i].msg_hdr.msg_iovlen = 1;
  }
  using Clock = std::chrono::steady_clock;
  const std::uint64_t total = std::uint64_t{rate} * seconds;
  const auto begin = Clock::now();
  std::uint64_t sent = 0;
  while (sent < total) {
    const double due = std::chrono::duration<double>(Clock::now() - begin).count() * rate;
    if (static_cast<double>(sent) > due) continue;
    const int n = sendmmsg(socket, batch.data(), kBatch, 0);
    if (n > 0) sent += static_cast<unsigned>(n);
  }
  return sent;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: udp_send ADDRESS PORT RATE SECONDS\n");
    return 2;
  }
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(number_of(argv[2])));
  if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
      connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    fmt::print(stderr, "udp_send: {} port {} cannot be sent to\n", argv[1], argv[2]);
    return 1;
  }
  fmt::print("{}\n", send_all(socket, number_of(argv[3]), number_of(argv[4])));
  return 0;
}
