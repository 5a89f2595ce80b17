#include "dataplane/client/udp_address.h"

#include <netdb.h>

#include <charconv>
#include <cstring>

#include "dataplane/door/pdp/wire.h"

namespace penstock::client {
namespace {

// Returns an error of getaddrinfo(3), or 0.
int look_up(const Endpoint& endpoint, int flags, std::vector<UdpAddress>& addresses) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  const int error = getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) return error;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (one->ai_addrlen > sizeof(sockaddr_storage)) continue;
    UdpAddress address{.bytes = one->ai_addrlen};
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    addresses.push_back(address);
  }
  freeaddrinfo(found);
  return 0;
}

}  // namespace

const sockaddr* UdpAddress::get() const {
  // The system's own way to say that the storage holds an address of one family or another.
  return reinterpret_cast<const sockaddr*>(&storage);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(Errc::kInvalidArgument, "endpoint \"" + std::string(text) + "\": " +
                                            std::string(why) + "; write HOST or HOST:PORT");
  };
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad("no ] behind the address");
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') return bad("no : behind the ]");
  } else if (const std::size_t colon = text.find(':');
             colon != std::string_view::npos && colon == text.rfind(':')) {
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (host.empty()) return bad("no host");
  Endpoint endpoint{.host = std::string(host), .port = pdp::kDefaultPort};
  if (port.empty()) return endpoint;
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc() || end != port.data() + port.size() || endpoint.port == 0) {
    return bad("the port is no number from 1 to 65535");
  }
  return endpoint;
}

std::string to_string(const Endpoint& endpoint) {
  const std::string port = ":" + std::to_string(endpoint.port);
  const bool is_ipv6 = endpoint.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + endpoint.host + "]" : endpoint.host) + port;
}

std::optional<std::vector<UdpAddress>> numeric_addresses(const Endpoint& endpoint) {
  std::vector<UdpAddress> addresses;
  if (look_up(endpoint, AI_NUMERICHOST, addresses) != 0 || addresses.empty()) return std::nullopt;
  return addresses;
}

Result<std::vector<UdpAddress>> resolve(const Endpoint& endpoint) {
  std::vector<UdpAddress> addresses;
  int error = look_up(endpoint, AI_ADDRCONFIG, addresses);
  // A host without a network has its loopback addresses still.
  if (error == EAI_NONAME || error == EAI_ADDRFAMILY) error = look_up(endpoint, 0, addresses);
  if (error != 0) {
    return fail(Errc::kUnavailable,
                "endpoint " + to_string(endpoint) + ": " + std::string(gai_strerror(error)));
  }
  if (addresses.empty()) {
    return fail(Errc::kUnavailable, "endpoint " + to_string(endpoint) + ": no UDP address");
  }
  return addresses;
}

}  // namespace penstock::client
