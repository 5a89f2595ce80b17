// Sends syslog datagrams through the kernel at a steady rate: the same sender for every receiver.
// Several datagrams leave with one call (UDP_SEGMENT), else the sender is slower than what it
// measures.
//
//   udp_send ADDRESS PORT RATE SECONDS    prints one JSON object: {"sent": N, "seconds": S}
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "perf/arguments.h"

namespace {

using penstock::number_of;

constexpr unsigned kBatch = 32;  // datagrams a call
constexpr int kBytes = 256;      // of each

std::string batch_of_messages() {
  std::string message = "<134>1 2026-01-01T00:00:00.000000Z host1 sender 4711 - - ";
  while (message.size() < kBytes) message += static_cast<char>('a' + message.size() % 26);
  std::string batch;
  for (unsigned i = 0; i < kBatch; ++i) batch += message;
  return batch;
}

struct Sent {
  std::uint64_t datagrams = 0;
  double seconds = 0;
};

// Paced batch by batch; one that is late is sent at once, so that the average holds if it can.
// Ends when all is sent or the time is over, whichever comes first.
Sent send_all(int socket, unsigned rate, unsigned seconds) {
  const std::string batch = batch_of_messages();
  using Clock = std::chrono::steady_clock;
  const std::uint64_t total = std::uint64_t{rate} * seconds;
  const auto begin = Clock::now();
  Sent sent;
  while (sent.datagrams < total && sent.seconds < seconds) {
    sent.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (static_cast<double>(sent.datagrams) > sent.seconds * rate) continue;
    if (send(socket, batch.data(), batch.size(), 0) > 0) sent.datagrams += kBatch;
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
  to.sin_port = htons(static_cast<std::uint16_t>(number_of<unsigned>(argv[2])));
  if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
      setsockopt(socket, SOL_UDP, UDP_SEGMENT, &kBytes, sizeof kBytes) != 0 ||
      connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    fmt::print(stderr, "udp_send: {} port {}: {}\n", argv[1], argv[2], std::strerror(errno));
    return 1;
  }
  const Sent sent = send_all(socket, number_of<unsigned>(argv[3]), number_of<unsigned>(argv[4]));
  fmt::print("{{\"sent\": {}, \"seconds\": {:.6f}}}\n", sent.datagrams, sent.seconds);
  return 0;
}
