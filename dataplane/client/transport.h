// What carries a session's datagrams: a socket, or later a port of a NIC.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace penstock::client {

struct TransportStatistics {
  std::uint64_t calls_sent = 0;  // of the system, for datagrams_sent
  std::uint64_t datagrams_sent = 0;
  std::uint64_t datagrams_received = 0;
  std::uint64_t refused = 0;   // the other end's host said that nobody listens
  std::uint64_t too_long = 0;  // for this end's link, or longer than a node's frames when received
  std::uint64_t failed = 0;    // by another error; they count as lost
};

// One thread. Nothing blocks, and nothing allocates once it is made.
class Transport {
 public:
  using Datagram = std::span<const std::byte>;
  virtual ~Transport() = default;

  // Returns how many of the first it took; the others are to be offered again when the descriptor
  // is writable. What the system refuses counts as taken: the network may lose things anyway.
  virtual std::size_t send(std::span<const Datagram> datagrams) = 0;
  // What came, valid until the next call.
  virtual std::size_t receive(std::span<Datagram> out) = 0;
  // To wait for with poll(2).
  [[nodiscard]] virtual int descriptor() const = 0;
  // The length of a datagram that send() found longer than this end's link takes, once; 0: none.
  [[nodiscard]] virtual std::size_t take_refused_length() = 0;
  // Of IP and UDP, before each datagram.
  [[nodiscard]] virtual std::size_t headers_bytes() const = 0;
  [[nodiscard]] virtual const TransportStatistics& statistics() const = 0;
};

}  // namespace penstock::client
