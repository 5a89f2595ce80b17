// A port of a NIC that producers have to themselves: the datagrams of many sessions, each with an
// address and a UDP port of its own, straight between their cores (dataplane/client) and the
// device. A datagram is copied once, into the packet.
//
// It is no Transport: a burst holds datagrams of many sessions, and there is no descriptor to wait
// for.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "dataplane/frame/frame_decoder.h"
#include "dataplane/frame/peer.h"
#include "dataplane/port/port.h"

namespace penstock::client {

struct ClientPortOptions {
  EthernetAddress ethernet{};  // the port's own
  // Of the node, or of the router to it. None: every station is meant, until the node answers.
  std::optional<EthernetAddress> to_ethernet;
  IpAddress to;
  std::uint16_t to_port = 0;
  // Of the first sessions, of the kind of `to`; those that follow have the next addresses, counted
  // up in the last four bytes.
  IpAddress from;
  std::size_t sessions = 1;
  // The peer's core reads packets where they are (memif with zero-copy=yes): they are written past
  // this core's caches.
  bool peer_reads_packets = false;
};

struct ClientPortStatistics {
  std::uint64_t datagrams_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t datagrams_received = 0;
  std::uint64_t refused = 0;    // times that the device did not take all of a burst
  std::uint64_t no_buffer = 0;  // datagrams that count as lost
  std::uint64_t not_ours = 0;   // packets that are no datagram of the node's to a session
};

class ClientPortListener {
 public:
  virtual ~ClientPortListener() = default;
  // Valid during the call.
  virtual void on_datagram(std::size_t session, std::span<const std::byte> datagram) = 0;
};

// One thread. The queue outlives it. Memory is taken by the constructor only, but for packets.
class ClientPort {
 public:
  static constexpr std::size_t kBurst = 64;
  // UDP ports of one address.
  static constexpr std::size_t kSessionsPerAddress = 40'000;
  static constexpr std::uint16_t kFirstPort = 20'000;

  ClientPort(PortQueue& queue, const ClientPortOptions& options);
  ~ClientPort();
  ClientPort(const ClientPort&) = delete;
  ClientPort& operator=(const ClientPort&) = delete;

  // Datagrams that put() takes before the next flush().
  [[nodiscard]] std::size_t room() const { return kBurst - staged_count_; }
  // Copies a session's datagram into a packet; room() is not 0. Without a buffer it counts as lost.
  void put(std::size_t session, std::span<const std::byte> datagram);
  // Gives the device what was put; what it does not take is offered again by the next flush().
  void flush();
  // Takes a burst: what is a session's is told, questions about our addresses are answered. Returns
  // how many packets came.
  std::size_t receive(MonotonicNanos now, ClientPortListener& listener);

  [[nodiscard]] const ClientPortStatistics& statistics() const { return statistics_; }

 private:
  [[nodiscard]] std::optional<std::size_t> session_of(const Datagram& datagram) const;
  void learn(const rte_mbuf& packet);
  void write(rte_mbuf& packet, std::span<std::byte> frame, std::span<const std::byte> datagram);

  PortQueue& queue_;
  std::size_t sessions_;
  IpAddress from_;
  Peer peer_;  // with the ends of the session whose datagram was put last
  bool is_learned_;
  std::vector<std::byte> line_buffer_;  // a frame before it goes past the caches, in whole lines
  FrameDecoder decoder_;
  std::array<rte_mbuf*, kBurst> staged_{};
  std::size_t staged_count_ = 0;
  ClientPortStatistics statistics_;
};

}  // namespace penstock::client
