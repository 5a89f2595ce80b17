#include "dataplane/door/door_map.h"

#include <charconv>

#include <fmt/format.h>

namespace penstock {

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return fail(
        Errc::kInvalidArgument,
        fmt::format("'{}': {}; write \"10.0.0.2:514\", \"[fd00::2]:514\" or \"*:514\"", text, why));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse("has no port");
  ListenAddress result;
  const std::string_view digits = text.substr(colon + 1);
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), result.port);
  if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() || result.port == 0) {
    return refuse("the port is not a number from 1 to 65535");
  }
  std::string_view host = text.substr(0, colon);
  if (host == "*") return result;
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return refuse("an IPv6 address stands in brackets");
  }
  auto address = parse_ip(host);
  if (!address) return refuse("is no address");
  result.address = *address;
  return result;
}

Result<> DoorMap::add(const ListenAddress& where, Door& door) {
  std::uint16_t* last = &(*first_)[where.port];
  while (*last != kNone) {
    Entry& entry = entries_[*last];
    if (entry.address == where.address) {
      return fail(Errc::kAlreadyExists,
                  fmt::format("doors {} and {} listen on the same address and port {}",
                              entry.door->name(), door.name(), where.port));
    }
    last = &entry.next;
  }
  *last = static_cast<std::uint16_t>(entries_.size());
  entries_.push_back({where.address, &door, kNone});
  return {};
}

}  // namespace penstock
