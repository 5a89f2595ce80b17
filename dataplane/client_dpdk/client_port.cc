#include "dataplane/client_dpdk/client_port.h"

#include <algorithm>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "base/check.h"
#include "base/copy_past_caches.h"
#include "base/units.h"
#include "dataplane/door/pdp/wire.h"
#include "dataplane/frame/wire.h"

namespace penstock::client {
namespace {

constexpr std::size_t kLastWordAt = 12;  // in an address: where those of a port differ
constexpr std::size_t kAheadMost = 4;    // packets asked for before they are looked at
constexpr std::size_t kHeadBytesMax = kEthernetBytesMax + kIpv6Bytes + kUdpBytes;
constexpr std::size_t kFrameRoom = align_up(pdp::kFrameBytesMax + kHeadBytesMax, kCacheLineBytes);

std::uint32_t last_word(const IpAddress& address) { return load_be32(&address.bytes[kLastWordAt]); }

IpAddress nth_address(const IpAddress& first, std::size_t n) {
  IpAddress address = first;
  store_be32(&address.bytes[kLastWordAt], last_word(first) + static_cast<std::uint32_t>(n));
  return address;
}

FrameOptions frame_options(const ClientPortOptions& options) {
  FrameOptions frame;
  frame.ethernet_address = options.ethernet;
  const std::size_t addresses =
      (options.sessions + ClientPort::kSessionsPerAddress - 1) / ClientPort::kSessionsPerAddress;
  for (std::size_t i = 0; i < addresses; ++i) {
    frame.addresses.push_back({.address = nth_address(options.from, i),
                               .prefix_length = options.from.is_v4() ? 32U : 128U});
  }
  return frame;
}

Peer peer_to(const ClientPortOptions& options) {
  constexpr EthernetAddress kEveryStation{std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF},
                                          std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF}};
  Peer peer{.address = options.to,
            .local = options.from,
            .port = options.to_port,
            .link_bytes = kEthernetBytes};
  store(peer.link.data(), options.to_ethernet.value_or(kEveryStation));
  store(peer.link.data() + 6, options.ethernet);
  store_be16(peer.link.data() + 12, options.to.is_v4() ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
  return peer;
}

}  // namespace

ClientPort::ClientPort(PortQueue& queue, const ClientPortOptions& options)
    : queue_(queue),
      sessions_(options.sessions),
      from_(options.from),
      peer_(peer_to(options)),
      is_learned_(options.to_ethernet.has_value()),
      line_buffer_(options.peer_reads_packets ? kFrameRoom : 0),
      decoder_(frame_options(options)) {
  CHECK_EQ(options.to.is_v4(), options.from.is_v4());
  CHECK_GT(sessions_, 0U);
}

ClientPort::~ClientPort() {
  rte_pktmbuf_free_bulk(staged_.data(), static_cast<unsigned>(staged_count_));
}

void ClientPort::put(std::size_t session, std::span<const std::byte> datagram) {
  CHECK_LT(session, sessions_);
  CHECK_LT(staged_count_, kBurst);
  rte_mbuf* packet = queue_.buffer();
  const auto bytes = static_cast<std::uint16_t>(datagram_head_bytes(peer_) + datagram.size());
  char* frame = packet == nullptr ? nullptr : rte_pktmbuf_append(packet, bytes);
  if (frame == nullptr) {
    rte_pktmbuf_free(packet);
    ++statistics_.no_buffer;
    return;
  }
  const std::size_t address = session / kSessionsPerAddress;
  peer_.local = nth_address(from_, address);
  peer_.local_port =
      static_cast<std::uint16_t>(kFirstPort + (session - address * kSessionsPerAddress));
  write(*packet, {reinterpret_cast<std::byte*>(frame), bytes}, datagram);
  staged_[staged_count_++] = packet;
  ++statistics_.datagrams_sent;
  statistics_.bytes_sent += datagram.size();
}

// Whole lines: what lies behind the frame's end in its last one is nobody's.
void ClientPort::write(rte_mbuf& packet, std::span<std::byte> frame,
                       std::span<const std::byte> datagram) {
  if (frame.size() > line_buffer_.size()) return write_datagram(frame, peer_, datagram);
  const auto written = std::span(line_buffer_).first(frame.size());
  write_datagram(written, peer_, datagram);
  const std::size_t room =
      std::min<std::size_t>(frame.size() + rte_pktmbuf_tailroom(&packet), line_buffer_.size());
  copy_past_caches(
      frame.data(),
      std::span(line_buffer_).first(std::min(align_up(frame.size(), kCacheLineBytes), room)));
}

void ClientPort::flush() {
  if (staged_count_ == 0) return;
  if (!line_buffer_.empty()) order_copies();
  const std::size_t taken = queue_.transmit(std::span(staged_).first(staged_count_));
  if (taken < staged_count_) ++statistics_.refused;
  std::copy(staged_.begin() + static_cast<std::ptrdiff_t>(taken),
            staged_.begin() + static_cast<std::ptrdiff_t>(staged_count_), staged_.begin());
  staged_count_ -= taken;
}

std::optional<std::size_t> ClientPort::session_of(const Datagram& datagram) const {
  if (datagram.source != peer_.address || datagram.source_port != peer_.port) return std::nullopt;
  const std::size_t address = last_word(datagram.destination) - last_word(from_);
  const std::size_t port = datagram.destination_port - std::size_t{kFirstPort};
  if (port >= kSessionsPerAddress) return std::nullopt;
  const std::size_t session = address * kSessionsPerAddress + port;
  return session < sessions_ ? std::optional(session) : std::nullopt;
}

// The node, or the router to it, is the station that its answers come from.
void ClientPort::learn(const rte_mbuf& packet) {
  is_learned_ = true;
  store(peer_.link.data(), load<EthernetAddress>(first_bytes(packet) + 6));
}

std::size_t ClientPort::receive(MonotonicNanos now, ClientPortListener& listener) {
  std::array<rte_mbuf*, kBurst> packets;
  const std::size_t count = queue_.receive(packets);
  static_cast<void>(decoder_.advance(now));
  for (std::size_t i = 0; i < std::min(count, kAheadMost); ++i) prefetch_frame(packets[i]);
  std::size_t done = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kAheadMost < count) prefetch_frame(packets[i + kAheadMost]);
    rte_mbuf* packet = packets[i];
    Datagram datagram;
    const Verdict verdict = decoder_.decode(packet, UnixNanos{}, datagram);
    if (verdict.fate == PacketFate::kDecoded && verdict.packets > 0) {
      if (const auto session = session_of(datagram)) {
        if (!is_learned_ && packet != nullptr) learn(*packet);
        ++statistics_.datagrams_received;
        listener.on_datagram(*session, datagram.payload);
      } else {
        ++statistics_.not_ours;
      }
    } else if (info(verdict.fate).of == FateClass::kAnswered) {
      if (queue_.transmit({&packet, 1}) == 1) packet = nullptr;
    } else {
      ++statistics_.not_ours;
    }
    if (packet != nullptr) packets[done++] = packet;
  }
  rte_pktmbuf_free_bulk(packets.data(), static_cast<unsigned>(done));
  return count;
}

}  // namespace penstock::client
