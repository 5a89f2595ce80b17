// A range of addresses: "10.0.0.0/8", "fd00::/8", "192.0.2.7".
#pragma once

#include "dataplane/frame/datagram.h"

namespace penstock {

struct IpNetwork {
  IpAddress address;
  unsigned prefix_bits = 128;  // of the mapped form, so an IPv4 prefix counts from 96

  [[nodiscard]] bool contains(const IpAddress& other) const;
};

// The error says what is wrong and how it is written.
[[nodiscard]] Result<IpNetwork> parse_network(std::string_view text);

}  // namespace penstock
