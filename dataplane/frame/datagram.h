// What the frame stage hands to a front door: a UDP payload and who sent it where.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "base/units.h"

namespace penstock {

// IPv4 addresses are held as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2), so that there is one kind.
struct IpAddress {
  std::array<std::byte, 16> bytes{};

  constexpr bool operator==(const IpAddress&) const = default;
  [[nodiscard]] static IpAddress v4(std::uint32_t network_order);
  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] bool is_multicast() const;
};

// "10.0.0.1", "fd00::1": as inet_pton(3) takes it, and the shortest form back (RFC 5952).
[[nodiscard]] Result<IpAddress> parse_ip(std::string_view text);
[[nodiscard]] std::string to_string(const IpAddress& address);

struct Datagram {
  std::span<const std::byte> payload;  // contiguous; valid until the frame is freed
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;       // host order
  std::uint16_t destination_port = 0;  // host order
  UnixNanos received;                  // by the NIC's clock where it has one
};

}  // namespace penstock
