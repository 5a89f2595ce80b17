// UDP packets as a port would give them, without a port: each in a buffer of its own.
#pragma once

#include <arpa/inet.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "dataplane/frame/frame_decoder.h"

namespace penstock::micro {

inline constexpr EthernetAddress kOurs{std::byte{2}, std::byte{0}, std::byte{0},
                                       std::byte{0}, std::byte{0}, std::byte{1}};

// A decoder for 10.77.0.1 and fd00::1, which every packet here is for.
[[nodiscard]] inline FrameOptions frame_options() {
  FrameOptions options;
  options.ethernet_address = kOurs;
  options.addresses = {parse_port_address("10.77.0.1/24").value(),
                       parse_port_address("fd00::1/64").value()};
  return options;
}

// Held twice whenever it is handed out, so that whoever frees it leaves it here.
class Packet {
 public:
  explicit Packet(const std::string& frame) : bytes_(RTE_PKTMBUF_HEADROOM + frame.size()) {
    std::memcpy(bytes_.data() + RTE_PKTMBUF_HEADROOM, frame.data(), frame.size());
  }
  [[nodiscard]] rte_mbuf* hand_out() {
    const auto length = static_cast<std::uint16_t>(bytes_.size() - RTE_PKTMBUF_HEADROOM);
    buffer_.buf_addr = bytes_.data();
    buffer_.buf_len = static_cast<std::uint16_t>(bytes_.size());
    buffer_.data_off = RTE_PKTMBUF_HEADROOM;
    buffer_.data_len = length;
    buffer_.pkt_len = length;
    buffer_.nb_segs = 1;
    rte_mbuf_refcnt_set(&buffer_, 2);
    return &buffer_;
  }

 private:
  std::vector<std::byte> bytes_;
  rte_mbuf buffer_{};
};

template <class T>
[[nodiscard]] std::string as_text(const T& header) {
  std::string bytes(sizeof header, '\0');
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

[[nodiscard]] inline std::string ethernet(std::uint16_t type) {
  rte_ether_hdr header{};
  std::memcpy(&header.dst_addr, kOurs.data(), kOurs.size());
  header.src_addr.addr_bytes[0] = 2;
  header.ether_type = htons(type);
  return as_text(header);
}

[[nodiscard]] inline std::string vlan(std::uint16_t number, std::uint16_t type) {
  return as_text(rte_vlan_hdr{.vlan_tci = htons(number), .eth_proto = htons(type)});
}

// A UDP datagram to port 514; `checksum` is that of its bytes under the IP header it will get.
template <class Checksum>
[[nodiscard]] std::string udp(const std::string& payload, const Checksum& checksum) {
  rte_udp_hdr header{};
  header.src_port = htons(4000);
  header.dst_port = htons(514);
  header.dgram_len = htons(static_cast<std::uint16_t>(sizeof header + payload.size()));
  header.dgram_cksum = checksum((as_text(header) + payload).data());
  return as_text(header) + payload;
}

[[nodiscard]] inline rte_ipv4_hdr ipv4_header(std::size_t carried) {
  rte_ipv4_hdr header{};
  header.version_ihl = RTE_IPV4_VHL_DEF;
  header.total_length = htons(static_cast<std::uint16_t>(sizeof header + carried));
  header.packet_id = htons(7);
  header.time_to_live = 64;
  header.next_proto_id = IPPROTO_UDP;
  header.src_addr = htonl(RTE_IPV4(10, 77, 0, 2));
  header.dst_addr = htonl(RTE_IPV4(10, 77, 0, 1));
  return header;
}

[[nodiscard]] inline std::string with_checksum(rte_ipv4_hdr header) {
  header.hdr_checksum = rte_ipv4_cksum(&header);
  return as_text(header);
}

[[nodiscard]] inline std::string udp_over_ipv4(const std::string& payload) {
  const rte_ipv4_hdr header = ipv4_header(sizeof(rte_udp_hdr) + payload.size());
  return udp(payload, [&](const void* at) { return rte_ipv4_udptcp_cksum(&header, at); });
}

[[nodiscard]] inline std::string ipv4_packet(const std::string& payload) {
  const std::string datagram = udp_over_ipv4(payload);
  return with_checksum(ipv4_header(datagram.size())) + datagram;
}

[[nodiscard]] inline std::string ipv6_packet(const std::string& payload) {
  rte_ipv6_hdr header{};
  header.vtc_flow = htonl(6U << 28U);
  header.payload_len = htons(static_cast<std::uint16_t>(sizeof(rte_udp_hdr) + payload.size()));
  header.proto = IPPROTO_UDP;
  header.hop_limits = 64;
  header.src_addr[0] = header.dst_addr[0] = 0xFD;
  header.src_addr[15] = 2;
  header.dst_addr[15] = 1;
  return as_text(header) +
         udp(payload, [&](const void* at) { return rte_ipv6_udptcp_cksum(&header, at); });
}

}  // namespace penstock::micro
