#include "dataplane/frame/port_addresses.h"

#include <gtest/gtest.h>

#include "tests/lib/packet_builder.h"

namespace penstock {
namespace {

using test::ip;

std::vector<PortAddress> own(std::initializer_list<std::string_view> texts) {
  std::vector<PortAddress> addresses;
  for (const std::string_view text : texts) addresses.push_back(*parse_port_address(text));
  return addresses;
}

TEST(PortAddressText, HasALengthOrStandsAlone) {
  EXPECT_EQ(parse_port_address("10.0.0.2/24")->address, ip("10.0.0.2"));
  EXPECT_EQ(parse_port_address("10.0.0.2/24")->prefix_length, 24U);
  EXPECT_EQ(parse_port_address("10.0.0.2")->prefix_length, 32U);
  EXPECT_EQ(parse_port_address("fd00::2/64")->prefix_length, 64U);
  EXPECT_EQ(parse_port_address("fd00::2")->prefix_length, 128U);
  for (const std::string_view bad : {"10.0.0.2/33", "fd00::2/129", "10.0.0.2/", "10.0.0.2/x",
                                     "10.0.0.2/24 ", "10.0.0.2/-1", "/24", "10.0.0/24"}) {
    EXPECT_FALSE(parse_port_address(bad).has_value()) << bad;
  }
}

TEST(PortAddresses, EveryDestinationIsOneThing) {
  const auto addresses = own({"10.0.0.2/24", "192.168.7.1/30", "172.16.0.1/31", "fd00::2/64"});
  const std::vector<IpAddress> groups{ip("239.1.2.3"), ip("ff05::123")};
  const PortAddresses port(test::ethernet_address(test::kOurEthernet), addresses, groups);
  const struct {
    std::string_view address;
    Destination is;
  } table[] = {
      {"10.0.0.2",        Destination::kOurs     },
      {"172.16.0.1",      Destination::kOurs     },
      {"fd00::2",         Destination::kOurs     },
      {"255.255.255.255", Destination::kBroadcast},
      {"10.0.0.255",      Destination::kBroadcast},
      {"192.168.7.3",     Destination::kBroadcast},
      {"172.16.0.0",      Destination::kOther    }, // a /31 has no broadcast address
      {"239.1.2.3",       Destination::kGroup    },
      {"ff05::123",       Destination::kGroup    },
      {"224.0.0.1",       Destination::kAllNodes },
      {"ff02::1",         Destination::kAllNodes },
      {"ff01::1",         Destination::kAllNodes },
      {"ff02::1:ff00:2",  Destination::kAllNodes },
      {"ff02::1:ff00:3",  Destination::kOther    },
      {"10.0.0.3",        Destination::kOther    },
      {"10.0.1.255",      Destination::kOther    },
      {"239.1.2.4",       Destination::kOther    },
      {"224.0.0.2",       Destination::kOther    },
      {"0.0.0.0",         Destination::kOther    },
      {"::",              Destination::kOther    },
      {"fd00::3",         Destination::kOther    },
  };
  for (const auto& row : table) EXPECT_EQ(port.judge(ip(row.address)), row.is) << row.address;
}

TEST(PortAddresses, ASolicitedNodeGroupKeepsTheLastThreeOctets) {
  EXPECT_EQ(solicited_node(ip("2001:db8::1234:5678:9abc")), ip("ff02::1:ff78:9abc"));
}

TEST(PortAddresses, SomeSourcesAreImpossible) {
  for (const std::string_view text :
       {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.255.255.255", "255.255.255.255",
        "::", "::1", "ff02::1"}) {
    EXPECT_FALSE(is_possible_source(ip(text))) << text;
  }
  for (const std::string_view text :
       {"1.0.0.0", "10.0.0.9", "126.255.255.255", "128.0.0.1", "223.255.255.255", "240.0.0.1",
        "::2", "fe80::1", "fd00::9", "1::"}) {
    EXPECT_TRUE(is_possible_source(ip(text))) << text;
  }
}

}  // namespace
}  // namespace penstock
