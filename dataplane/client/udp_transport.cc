#include "dataplane/client/udp_transport.h"

#include <fcntl.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "dataplane/client/path_mtu.h"

namespace penstock::client {
namespace {

template <class T>
bool set_option(int descriptor, int level, int name, const T& value) {
  return setsockopt(descriptor, level, name, &value, sizeof value) == 0;
}

// A path's MTU is found by what is answered: nothing is fragmented, and what the system thinks of
// the path does not matter.
bool probe_path(int descriptor, bool is_ipv6) {
  return is_ipv6 ? set_option(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE)
                 : set_option(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
}

// Of a message to be cut these errors may be one of its parts', or the system may not cut at all.
bool concerns_cutting(int error) {
  return error == EMSGSIZE || error == EINVAL || error == EIO || error == EOPNOTSUPP ||
         error == ENOPROTOOPT;
}

}  // namespace

Result<std::unique_ptr<UdpTransport>> UdpTransport::connect(const UdpAddress& to,
                                                            const UdpOptions& options) {
  const int descriptor =
      socket(to.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
  if (descriptor < 0) return fail_errno(errno, "UDP socket");
  std::unique_ptr<UdpTransport> transport(new UdpTransport(descriptor, to.is_ipv6(), options));
  if (!probe_path(descriptor, to.is_ipv6())) return fail_errno(errno, "UDP socket: MTU discovery");
  // Smaller buffers than asked for cost speed, nothing else.
  set_option(descriptor, SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes);
  set_option(descriptor, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes);
  if (::connect(descriptor, to.get(), to.bytes) != 0) return fail_errno(errno, "UDP socket");
  return transport;
}

UdpTransport::UdpTransport(int descriptor, bool is_ipv6, const UdpOptions& options)
    : descriptor_(descriptor),
      is_ipv6_(is_ipv6),
      segments_(options.segments),
      send_(options.send),
      receive_memory_(kBatch * kNodeFrameBytes) {
  for (std::size_t i = 0; i < kBatch; ++i) {
    received_parts_[i] = {.iov_base = receive_memory_.data() + i * kNodeFrameBytes,
                          .iov_len = kNodeFrameBytes};
    received_[i].msg_hdr.msg_iov = &received_parts_[i];
    received_[i].msg_hdr.msg_iovlen = 1;
  }
}

UdpTransport::~UdpTransport() { close(descriptor_); }

std::size_t UdpTransport::headers_bytes() const { return is_ipv6_ ? kIpv6UdpBytes : kIpv4UdpBytes; }

std::size_t UdpTransport::take_refused_length() {
  const std::size_t bytes = refused_length_;
  refused_length_ = 0;
  return bytes;
}

void UdpTransport::cut_at(msghdr& message, SegmentControl& control, std::size_t segment_bytes) {
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto bytes = static_cast<std::uint16_t>(segment_bytes);
  std::memcpy(CMSG_DATA(header), &bytes, sizeof bytes);
}

// Equal datagrams that follow each other become one message, the last of them may be shorter.
std::size_t UdpTransport::gather(std::span<const Datagram> datagrams, std::size_t alone) {
  std::size_t messages = 0;
  std::size_t next = 0;
  while (next < datagrams.size()) {
    const std::size_t first = next;
    const std::size_t segment_bytes = datagrams[first].size();
    std::size_t bytes = 0;
    while (next < datagrams.size()) {
      const Datagram& datagram = datagrams[next];
      const bool joins =
          next == first || (segments_ && first >= alone && datagram.size() <= segment_bytes &&
                            bytes + datagram.size() <= kSegmentsBytesMax);
      if (!joins) break;
      parts_[next] = {.iov_base = const_cast<std::byte*>(datagram.data()),
                      .iov_len = datagram.size()};
      bytes += datagram.size();
      ++next;
      if (datagram.size() < segment_bytes) break;
    }
    msghdr& message = messages_[messages].msg_hdr;
    message = {};
    message.msg_iov = &parts_[first];
    message.msg_iovlen = next - first;
    if (next - first > 1) cut_at(message, controls_[messages], segment_bytes);
    ++messages;
  }
  return messages;
}

bool UdpTransport::failed(std::size_t index, int error) {
  const msghdr& message = messages_[index].msg_hdr;
  switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case EINTR: return false;
    case ECONNREFUSED:
      // Of an earlier one, and told once: this one was not tried.
      ++statistics_.refused;
      return false;
    case EMSGSIZE:
      statistics_.too_long += message.msg_iovlen;
      refused_length_ = message.msg_iov[0].iov_len;
      return true;
    default: statistics_.failed += message.msg_iovlen; return true;
  }
}

// What cannot be sent to be cut is sent part by part, and each is judged alone: a PING that is
// longer than the link takes stands with frames that are not. Where all parts go, nothing is cut
// any more.
std::size_t UdpTransport::send(std::span<const Datagram> datagrams) {
  std::size_t taken = 0;
  std::size_t alone = 0;  // up to there datagrams are parts of a message that was refused
  bool part_failed = false;
  unsigned told = 0;  // errors of earlier datagrams: a bounded number of them in a row
  while (taken < datagrams.size()) {
    const auto batch = datagrams.subspan(taken, std::min(kBatch, datagrams.size() - taken));
    const std::size_t messages = gather(batch, alone - std::min(alone, taken));
    ++statistics_.calls_sent;
    const int sent = send_(descriptor_, messages_.data(), static_cast<unsigned>(messages), 0);
    if (sent > 0) {
      for (std::size_t i = 0; i < static_cast<std::size_t>(sent); ++i) {
        taken += messages_[i].msg_hdr.msg_iovlen;
        statistics_.datagrams_sent += messages_[i].msg_hdr.msg_iovlen;
      }
    } else {
      const int error = errno;
      const msghdr& message = messages_[0].msg_hdr;
      if (message.msg_controllen != 0 && concerns_cutting(error)) {
        alone = taken + message.msg_iovlen;
        part_failed = false;
      } else if (failed(0, error)) {
        taken += message.msg_iovlen;
        part_failed = true;
      } else if (error != ECONNREFUSED || ++told > 2) {
        break;
      }
    }
    if (alone != 0 && taken >= alone) {
      segments_ = segments_ && part_failed;
      alone = 0;
    }
  }
  return taken;
}

std::size_t UdpTransport::receive(std::span<Datagram> out) {
  const auto wanted = static_cast<unsigned>(std::min(out.size(), kBatch));
  int count = recvmmsg(descriptor_, received_.data(), wanted, MSG_DONTWAIT, nullptr);
  if (count < 0 && errno == ECONNREFUSED) {
    ++statistics_.refused;
    count = recvmmsg(descriptor_, received_.data(), wanted, MSG_DONTWAIT, nullptr);
  }
  std::size_t taken = 0;
  for (int i = 0; i < count; ++i) {
    const mmsghdr& message = received_[static_cast<std::size_t>(i)];
    if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      ++statistics_.too_long;
      continue;
    }
    out[taken++] = {static_cast<const std::byte*>(message.msg_hdr.msg_iov->iov_base),
                    message.msg_len};
  }
  statistics_.datagrams_received += taken;
  return taken;
}

}  // namespace penstock::client
