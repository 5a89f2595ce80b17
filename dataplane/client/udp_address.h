// Where a node listens: from `host:port` to addresses of the system.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace penstock::client {

struct Endpoint {
  std::string host;  // a name, or an address without brackets
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};

// `host`, `host:port`, `[address]:port`, or an IPv6 address alone. Without a port: PDP's.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text);
[[nodiscard]] std::string to_string(const Endpoint& endpoint);

struct UdpAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;
  [[nodiscard]] const sockaddr* get() const;
  [[nodiscard]] bool is_ipv6() const { return storage.ss_family == AF_INET6; }
};

// Of a host that is an address and no name; nothing else is asked.
[[nodiscard]] std::optional<std::vector<UdpAddress>> numeric_addresses(const Endpoint& endpoint);
// All addresses of the host, in the system's order; at least one. Blocks as getaddrinfo(3) does.
[[nodiscard]] Result<std::vector<UdpAddress>> resolve(const Endpoint& endpoint);

}  // namespace penstock::client
