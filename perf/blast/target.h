// Where penstock-blast sends to and from, as the command line says it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "dataplane/frame/port_addresses.h"

namespace penstock::blast {

struct Target {
  IpAddress address;
  std::uint16_t port = 0;  // host order
};

// The error names the option, what it was given, and what would be right.
[[nodiscard]] std::unexpected<Error> refuse_option(std::string_view option, std::string_view value,
                                                   std::string_view why);
[[nodiscard]] Result<Target> parse_target(const std::string& text);
// The first of so many addresses, of the kind of the target's, which count up in their last four
// bytes; `counted` is the option that says how many.
[[nodiscard]] Result<IpAddress> parse_from(const std::string& text, const Target& target,
                                           std::uint32_t addresses, std::string_view counted);
// The last four bytes, which are all of an IPv4 address, in host order.
[[nodiscard]] std::uint32_t last_word(const IpAddress& address);
[[nodiscard]] Result<EthernetAddress> parse_station(const std::string& text);

}  // namespace penstock::blast
