#include "dataplane/frame/ip_network.h"

#include <charconv>

#include <fmt/format.h>

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
  const std::size_t slash = text.find('/');
  auto address = parse_ip(text.substr(0, slash));
  if (!address) return std::unexpected(std::move(address.error()));
  const bool v4 = address->is_v4() && text.find(':') == std::string_view::npos;
  const unsigned bits = v4 ? 32 : 128;
  unsigned prefix = bits;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() || prefix > bits) {
      return fail(Errc::kInvalidArgument,
                  fmt::format("'{}': the prefix is not a number from 0 to {}; write "
                              "\"10.0.0.0/8\" or \"fd00::/8\"",
                              text, bits));
    }
  }
  return IpNetwork{.address = *address, .prefix_bits = prefix + (v4 ? 96U : 0U)};
}

}  // namespace penstock
