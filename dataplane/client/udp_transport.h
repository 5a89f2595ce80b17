// A connected UDP socket of the kernel's: many datagrams a system call each way, and equal ones
// handed over as one that the kernel or the NIC cuts (UDP_SEGMENT) where that is known.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <vector>

#include "base/result.h"
#include "dataplane/client/transport.h"
#include "dataplane/client/udp_address.h"

namespace penstock::client {

// As sendmmsg(2).
using SendCall = int (*)(int descriptor, mmsghdr* messages, unsigned count, int flags);

struct UdpOptions {
  int send_buffer_bytes = 4 << 20U;  // the system may give less
  int receive_buffer_bytes = 4 << 20U;
  bool segments = true;  // uses UDP_SEGMENT until the system refuses it
  SendCall send = &sendmmsg;
};

class UdpTransport final : public Transport {
 public:
  // To the address, from a port that the system chooses.
  [[nodiscard]] static Result<std::unique_ptr<UdpTransport>> connect(const UdpAddress& to,
                                                                     const UdpOptions& options);
  ~UdpTransport() override;
  UdpTransport(const UdpTransport&) = delete;
  UdpTransport& operator=(const UdpTransport&) = delete;

  std::size_t send(std::span<const Datagram> datagrams) override;
  std::size_t receive(std::span<Datagram> out) override;
  [[nodiscard]] int descriptor() const override { return descriptor_; }
  [[nodiscard]] std::size_t take_refused_length() override;
  [[nodiscard]] std::size_t headers_bytes() const override;
  [[nodiscard]] const TransportStatistics& statistics() const override { return statistics_; }

 private:
  static constexpr std::size_t kBatch = 64;             // datagrams a call
  static constexpr std::size_t kNodeFrameBytes = 1024;  // ACK with all its ranges is 616
  static constexpr std::size_t kSegmentsBytesMax = 60'000;
  struct SegmentControl {  // the length at which the kernel cuts
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(std::uint16_t))> bytes;
  };

  UdpTransport(int descriptor, bool is_ipv6, const UdpOptions& options);
  // Fills messages_ from the first datagrams, so many of them each alone; returns how many
  // messages.
  std::size_t gather(std::span<const Datagram> datagrams, std::size_t alone);
  void cut_at(msghdr& message, SegmentControl& control, std::size_t segment_bytes);
  // What sendmmsg said of the message at that index. False: come again later.
  bool failed(std::size_t index, int error);

  int descriptor_;
  bool is_ipv6_;
  bool segments_;
  SendCall send_;
  std::size_t refused_length_ = 0;
  TransportStatistics statistics_;
  std::array<mmsghdr, kBatch> messages_{};
  std::array<iovec, kBatch> parts_{};
  std::array<SegmentControl, kBatch> controls_{};
  std::array<mmsghdr, kBatch> received_{};
  std::array<iovec, kBatch> received_parts_{};
  std::vector<std::byte> receive_memory_;
};

}  // namespace penstock::client
