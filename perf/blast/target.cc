#include "perf/blast/target.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

#include <fmt/format.h>
#include <rte_ether.h>

namespace penstock::blast {

std::unexpected<Error> refuse_option(std::string_view option, std::string_view value,
                                     std::string_view why) {
  return fail(Errc::kInvalidArgument, fmt::format("{} {}: {}", option, value, why));
}

Result<Target> parse_target(const std::string& text) {
  const auto colon = text.rfind(':');
  in_addr address{};
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  if (colon == std::string::npos ||
      inet_pton(AF_INET, text.substr(0, colon).c_str(), &address) != 1) {
    return refuse_option("--to", text, "no IPv4 address and port; write it like 10.77.0.2:514");
  }
  const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
  if (parsed.ec != std::errc{} || parsed.ptr != end || port == 0) {
    return refuse_option("--to", text, "the port is not a number from 1 to 65535");
  }
  return Target{address.s_addr, port};
}

Result<std::uint32_t> parse_from(const std::string& text, std::uint32_t addresses,
                                 std::string_view counted) {
  in_addr from{};
  if (inet_pton(AF_INET, text.c_str(), &from) != 1) {
    return refuse_option("--from", text, "no IPv4 address; write it like 10.77.0.1");
  }
  const std::uint32_t first = ntohl(from.s_addr);
  if (first + (addresses - 1) < first) {
    return refuse_option("--from", text,
                         fmt::format("{} {} reach past 255.255.255.255; lower {}", addresses,
                                     counted.substr(2), counted));
  }
  return first;
}

Result<EthernetAddress> parse_station(const std::string& text) {
  rte_ether_addr parsed{};
  if (rte_ether_unformat_addr(text.c_str(), &parsed) != 0) {
    return refuse_option("--to-ethernet", text,
                         "no Ethernet address; write it like 02:00:00:00:00:01");
  }
  EthernetAddress station;
  std::memcpy(station.data(), &parsed, station.size());
  return station;
}

}  // namespace penstock::blast
