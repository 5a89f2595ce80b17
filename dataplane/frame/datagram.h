// What the frame stage hands to a front door: a UDP payload and who sent it where.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace penstock {

// IPv4 addresses are held as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2), so that there is one kind.
struct IpAddress {
  std::array<std::byte, 16> bytes{};

  constexpr bool operator==(const IpAddress&) const = default;
  [[nodiscard]] static constexpr IpAddress v4(std::uint32_t network_order);
  [[nodiscard]] constexpr bool is_v4() const;
  [[nodiscard]] constexpr bool is_multicast() const;
};

// "10.0.0.1", "fd00::1": as inet_pton(3) takes it, and the shortest form back (RFC 5952).
[[nodiscard]] Result<IpAddress> parse_ip(std::string_view text);
[[nodiscard]] std::string to_string(const IpAddress& address);

struct Datagram {
  std::span<const std::byte> payload;  // contiguous; valid until its frame is freed or the next
                                       // decoded
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;       // host order
  std::uint16_t destination_port = 0;  // host order
  UnixNanos received;                  // when its burst was taken
};

constexpr IpAddress IpAddress::v4(std::uint32_t network_order) {
  IpAddress address;
  address.bytes[10] = std::byte{0xFF};
  address.bytes[11] = std::byte{0xFF};
  const auto last = std::bit_cast<std::array<std::byte, 4>>(network_order);
  for (std::size_t i = 0; i < last.size(); ++i) address.bytes[12 + i] = last[i];
  return address;
}

constexpr bool IpAddress::is_v4() const {
  for (std::size_t i = 0; i < 10; ++i) {
    if (bytes[i] != std::byte{0}) return false;
  }
  return bytes[10] == std::byte{0xFF} && bytes[11] == std::byte{0xFF};
}

constexpr bool IpAddress::is_multicast() const {
  if (!is_v4()) return bytes[0] == std::byte{0xFF};
  return (bytes[12] & std::byte{0xF0}) == std::byte{0xE0};
}

}  // namespace penstock
