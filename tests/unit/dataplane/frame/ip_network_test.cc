#include "dataplane/frame/ip_network.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

bool contains(std::string_view network, std::string_view address) {
  return parse_network(network).value().contains(parse_ip(address).value());
}

TEST(IpNetwork, HasTheAddressesThatBeginAsItDoes) {
  EXPECT_TRUE(contains("10.0.0.0/29", "10.0.0.7"));
  EXPECT_FALSE(contains("10.0.0.0/29", "10.0.0.8"));
  EXPECT_TRUE(contains("fd00::/7", "fc00::1"));
  EXPECT_FALSE(contains("fd00::/8", "fc00::1"));
}

TEST(IpNetwork, WithoutAPrefixIsOneAddress) {
  EXPECT_TRUE(contains("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(contains("192.0.2.7", "192.0.2.6"));
  EXPECT_FALSE(contains("fd00::7", "fd00::6"));
}

TEST(IpNetwork, OfAllOfIPv4HasNoneOfIPv6) {
  EXPECT_TRUE(contains("0.0.0.0/0", "192.0.2.7"));
  EXPECT_FALSE(contains("0.0.0.0/0", "fd00::1"));
  EXPECT_TRUE(contains("::/0", "192.0.2.7"));
}

// An IPv4 address is one however it is written.
TEST(IpNetwork, CountsTheBitsOfAMappedAddressAsThoseOfIPv4) {
  EXPECT_TRUE(contains("::ffff:10.0.0.0/8", "10.1.2.3"));
  EXPECT_FALSE(contains("::ffff:10.0.0.0/8", "11.1.2.3"));
  EXPECT_FALSE(contains("::ffff:10.0.0.0/8", "fd00::1"));
}

TEST(IpNetwork, IsNotMadeOfWhatIsNone) {
  for (const std::string_view bad :
       {"", "/8", "10.0.0/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ",
        "fd00::/129", "::ffff:10.0.0.0/104", "host/8"}) {
    EXPECT_FALSE(parse_network(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace penstock
