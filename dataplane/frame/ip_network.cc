#include "dataplane/frame/ip_network.h"

#include "dataplane/frame/port_addresses.h"

namespace penstock {

bool IpNetwork::contains(const IpAddress& other) const {
  const std::size_t whole = prefix_bits / 8;
  for (std::size_t i = 0; i < whole; ++i) {
    if (address.bytes[i] != other.bytes[i]) return false;
  }
  const unsigned rest = prefix_bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::byte>(0xFFU << (8 - rest));
  return ((address.bytes[whole] ^ other.bytes[whole]) & mask) == std::byte{0};
}

Result<IpNetwork> parse_network(std::string_view text) {
  const auto parsed = parse_port_address(text);
  if (!parsed) return std::unexpected(parsed.error());
  const unsigned mapped = parsed->address.is_v4() ? 96 : 0;
  return IpNetwork{.address = parsed->address, .prefix_bits = mapped + parsed->prefix_length};
}

}  // namespace penstock
