// Where penstock-blast sends to and from, as the command line says it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "dataplane/frame/port_addresses.h"

namespace penstock::blast {

struct Target {
  std::uint32_t address;  // network order
  std::uint16_t port;     // host order
};

// The error names the option, what it was given, and what would be right.
[[nodiscard]] std::unexpected<Error> refuse_option(std::string_view option, std::string_view value,
                                                   std::string_view why);
[[nodiscard]] Result<Target> parse_target(const std::string& text);
// The first of so many addresses, in host order; `counted` is the option that says how many.
[[nodiscard]] Result<std::uint32_t> parse_from(const std::string& text, std::uint32_t addresses,
                                               std::string_view counted);
[[nodiscard]] Result<EthernetAddress> parse_station(const std::string& text);

}  // namespace penstock::blast
