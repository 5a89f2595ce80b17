#include "perf/blast/target.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>
#include <rte_ether.h>

#include "dataplane/frame/wire.h"

namespace penstock::blast {

std::unexpected<Error> refuse_option(std::string_view option, std::string_view value,
                                     std::string_view why) {
  return fail(Errc::kInvalidArgument, fmt::format("{} {}: {}", option, value, why));
}

Result<Target> parse_target(const std::string& text) {
  const std::size_t colon = std::min(text.rfind(':'), text.size());
  std::string_view host = std::string_view(text).substr(0, colon);
  const bool in_brackets = host.starts_with('[') && host.ends_with(']');
  if (in_brackets) host = host.substr(1, host.size() - 2);
  const auto address = parse_ip(host);
  if (!address || address->is_v4() == in_brackets || colon == text.size()) {
    return refuse_option("--to", text,
                         "no address and port; write it like 10.77.0.2:514 or [fd77::2]:7373");
  }
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
  if (parsed.ec != std::errc{} || parsed.ptr != end || port == 0) {
    return refuse_option("--to", text, "the port is not a number from 1 to 65535");
  }
  return Target{*address, port};
}

Result<IpAddress> parse_from(const std::string& text, const Target& target, std::uint32_t addresses,
                             std::string_view counted) {
  const bool is_v4 = target.address.is_v4();
  const auto from = parse_ip(text);
  if (!from || from->is_v4() != is_v4) {
    return refuse_option("--from", text,
                         fmt::format("no IPv{} address, as --to is; write it like {}",
                                     is_v4 ? 4 : 6, is_v4 ? "10.77.0.1" : "fd77::1"));
  }
  const std::uint32_t first = last_word(*from);
  if (first + (addresses - 1) < first) {
    return refuse_option("--from", text,
                         fmt::format("{} {} reach past {}; lower {}", addresses, counted.substr(2),
                                     is_v4 ? "255.255.255.255" : "ffff:ffff at its end", counted));
  }
  return *from;
}

std::uint32_t last_word(const IpAddress& address) { return load_be32(&address.bytes[12]); }

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
