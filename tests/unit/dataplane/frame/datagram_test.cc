#include "dataplane/frame/datagram.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(IpAddressText, WhatIsReadIsWrittenInItsShortestForm) {
  const struct {
    std::string_view text;
    std::string_view shortest;
  } table[] = {
      {"10.0.0.1",             "10.0.0.1"            },
      {"255.255.255.255",      "255.255.255.255"     },
      {"0.0.0.0",              "0.0.0.0"             },
      {"::",                   "::"                  },
      {"::1",                  "::1"                 },
      {"fd00::1",              "fd00::1"             },
      {"FD00:0:0:0:0:0:0:1",   "fd00::1"             },
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:0:0:1:0:0:0:1",   "2001:0:0:1::1"       },
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"   },
      {"::ffff:10.0.0.1",      "10.0.0.1"            },
  };
  for (const auto& row : table) {
    const auto address = parse_ip(row.text);
    ASSERT_TRUE(address.has_value()) << row.text;
    EXPECT_EQ(to_string(*address), row.shortest);
    const auto again = parse_ip(to_string(*address));
    ASSERT_TRUE(again.has_value()) << row.text;
    EXPECT_EQ(*again, *address);
  }
}

TEST(IpAddressText, WhatIsNoAddressIsRefusedByName) {
  for (const std::string_view text :
       {"", "10.0.0", "10.0.0.256", "10.0.0.1/24", "localhost", "fd00::1%eth0",
        ":::", "1:2:3:4:5:6:7", " 10.0.0.1", "010.0.0.1 "}) {
    const auto address = parse_ip(text);
    ASSERT_FALSE(address.has_value()) << text;
    EXPECT_EQ(address.error().code, Errc::kInvalidArgument);
    EXPECT_NE(address.error().what.find(text), std::string::npos);
  }
  EXPECT_FALSE(parse_ip(std::string_view("10.0.0.1\0", 9)).has_value());
}

TEST(IpAddress, BothVersionsKnowWhatIsMulticast) {
  EXPECT_TRUE(parse_ip("224.0.0.1")->is_multicast());
  EXPECT_TRUE(parse_ip("239.255.255.255")->is_multicast());
  EXPECT_TRUE(parse_ip("ff02::1")->is_multicast());
  EXPECT_FALSE(parse_ip("223.255.255.255")->is_multicast());
  EXPECT_FALSE(parse_ip("240.0.0.1")->is_multicast());
  EXPECT_FALSE(parse_ip("255.255.255.255")->is_multicast());
  EXPECT_FALSE(parse_ip("fe80::1")->is_multicast());
}

TEST(IpAddress, IsV4ExactlyWhenItIsMapped) {
  EXPECT_TRUE(parse_ip("10.0.0.1")->is_v4());
  EXPECT_FALSE(parse_ip("::a00:1")->is_v4());
  EXPECT_FALSE(parse_ip("64:ff9b::a00:1")->is_v4());
  EXPECT_FALSE(parse_ip("::1:ffff:a00:1")->is_v4());
}

}  // namespace
}  // namespace penstock
