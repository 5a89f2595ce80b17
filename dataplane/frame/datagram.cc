#include "dataplane/frame/datagram.h"

#include <arpa/inet.h>

#include <cstring>

#include <fmt/format.h>

namespace penstock {

Result<IpAddress> parse_ip(std::string_view text) {
  const std::string terminated(text);
  in_addr v4{};
  IpAddress address;
  // A NUL inside would end the text early for inet_pton.
  const bool whole = text.find('\0') == std::string_view::npos;
  if (whole && inet_pton(AF_INET, terminated.c_str(), &v4) == 1) return IpAddress::v4(v4.s_addr);
  if (whole && inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  return fail(
      Errc::kInvalidArgument,
      fmt::format("'{}' is not an IP address; expected one such as 10.0.0.1 or fd00::1", text));
}

std::string to_string(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool v4 = address.is_v4();
  inet_ntop(v4 ? AF_INET : AF_INET6, address.bytes.data() + (v4 ? 12 : 0), text.data(),
            text.size());
  return text.data();
}

}  // namespace penstock
