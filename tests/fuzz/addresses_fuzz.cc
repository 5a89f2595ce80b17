// Addresses as operators write them: what is accepted says the same when it is written back and
// read again.
#include <fmt/format.h>

#include "base/check.h"
#include "dataplane/door/door_map.h"
#include "dataplane/frame/port_addresses.h"
#include "tests/fuzz/fuzz_input.h"

using namespace penstock;

namespace {

void check_port_address(std::string_view text) {
  const auto parsed = parse_port_address(text);
  if (!parsed) return;
  CHECK_LE(parsed->prefix_length, parsed->address.is_v4() ? 32U : 128U);
  const auto again =
      parse_port_address(fmt::format("{}/{}", to_string(parsed->address), parsed->prefix_length));
  CHECK(again.has_value());
  CHECK(again->address == parsed->address);
  CHECK_EQ(again->prefix_length, parsed->prefix_length);
  const PortAddresses port({}, {&*parsed, 1}, {});
  CHECK(port.is_ours(parsed->address));
}

void check_listen_address(std::string_view text) {
  const auto parsed = parse_listen_address(text);
  if (!parsed) return;
  CHECK_NE(parsed->port, 0);
  std::string host = "*";
  if (parsed->address) {
    const std::string address = to_string(*parsed->address);
    host = parsed->address->is_v4() ? address : fmt::format("[{}]", address);
  }
  const auto again = parse_listen_address(fmt::format("{}:{}", host, parsed->port));
  CHECK(again.has_value());
  CHECK(again->address == parsed->address);
  CHECK_EQ(again->port, parsed->port);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(fuzz::FuzzInput(data, size).rest());
  const auto address = parse_ip(text);
  if (address) {
    const auto again = parse_ip(to_string(*address));
    CHECK(again.has_value());
    CHECK(*again == *address);
  } else {
    CHECK(address.error().what.find(text) != std::string::npos);
  }
  check_port_address(text);
  check_listen_address(text);
  return 0;
}
