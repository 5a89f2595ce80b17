#include "dataplane/door/door_map.h"

#include <gtest/gtest.h>

#include "tests/lib/make_routing.h"
#include "tests/lib/packet_builder.h"

namespace penstock {
namespace {

using test::ip;

TEST(ListenAddressText, IsAnAddressOrAllAndAPort) {
  EXPECT_EQ(parse_listen_address("10.0.0.2:514")->address, ip("10.0.0.2"));
  EXPECT_EQ(parse_listen_address("10.0.0.2:514")->port, 514);
  EXPECT_EQ(parse_listen_address("[fd00::2]:1")->address, ip("fd00::2"));
  EXPECT_EQ(parse_listen_address("[fd00::2]:65535")->port, 65535);
  EXPECT_EQ(parse_listen_address("*:514")->address, std::nullopt);
}

TEST(ListenAddressText, IsRefusedByNameWithAWayToWriteIt) {
  for (const std::string_view text :
       {"", "514", "10.0.0.2", "10.0.0.2:", "10.0.0.2:0", "10.0.0.2:65536", "10.0.0.2:-1",
        "10.0.0.2:5x", "10.0.0.2: 5", ":514", "fd00::2:514", "fd00::2", "[fd00::2]", "[fd00::2:514",
        "[]:514", "[*]:514", "localhost:514", "**:514"}) {
    const auto parsed = parse_listen_address(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Errc::kInvalidArgument);
    EXPECT_NE(parsed.error().what.find("'" + std::string(text) + "'"), std::string::npos);
    EXPECT_NE(parsed.error().what.find("\"*:514\""), std::string::npos);
  }
}

class DoorMapTest : public testing::Test {
 protected:
  Door make(std::string name) {
    return {
        {.name = std::move(name),
         .protocol = DoorProtocol::kSyslog,
         .subject = *SubjectTemplate::compile("s", subject_variables(DoorProtocol::kSyslog))},
        router_,
        account_
    };
  }
  Result<> add(std::string_view where, Door& door) {
    return map_.add(*parse_listen_address(where), door);
  }
  const Door* find(std::string_view address, std::uint16_t port) {
    Datagram datagram;
    datagram.destination = ip(address);
    datagram.destination_port = port;
    return map_.find(datagram);
  }

  Routing routing_ = test::make_routing({});
  StreamRouter router_{routing_, [](auto) { return CaptureSetId(0); }};
  MessageAccount account_;
  DoorMap map_;
  Door any_ = make("any");
  Door exact_ = make("exact");
};

TEST_F(DoorMapTest, AnExactAddressBeatsAllInEitherOrder) {
  ASSERT_TRUE(add("*:514", any_).has_value());
  ASSERT_TRUE(add("10.0.0.2:514", exact_).has_value());
  ASSERT_TRUE(add("10.0.0.2:515", exact_).has_value());
  ASSERT_TRUE(add("*:515", any_).has_value());
  for (const std::uint16_t port : {std::uint16_t{514}, std::uint16_t{515}}) {
    EXPECT_EQ(find("10.0.0.2", port), &exact_);
    EXPECT_EQ(find("10.0.0.3", port), &any_);
    EXPECT_EQ(find("fd00::2", port), &any_);
  }
}

TEST_F(DoorMapTest, WhereNoDoorListensThereIsNone) {
  ASSERT_TRUE(add("10.0.0.2:514", exact_).has_value());
  EXPECT_EQ(find("10.0.0.3", 514), nullptr);
  EXPECT_EQ(find("10.0.0.2", 515), nullptr);
  EXPECT_EQ(find("10.0.0.2", 0), nullptr);
  EXPECT_EQ(find("10.0.0.2", 65535), nullptr);
}

TEST_F(DoorMapTest, TwoDoorsAtOnePlaceAreRefusedByName) {
  ASSERT_TRUE(add("*:514", any_).has_value());
  ASSERT_TRUE(add("10.0.0.2:514", exact_).has_value());
  for (const std::string_view where : {"*:514", "10.0.0.2:514", "[::ffff:10.0.0.2]:514"}) {
    Door other = make("other");
    const auto added = add(where, other);
    ASSERT_FALSE(added.has_value()) << where;
    EXPECT_EQ(added.error().code, Errc::kAlreadyExists);
    EXPECT_NE(added.error().what.find("other"), std::string::npos);
    EXPECT_NE(added.error().what.find("514"), std::string::npos);
  }
  EXPECT_EQ(find("10.0.0.2", 514), &exact_);
}

TEST_F(DoorMapTest, OneDoorMayListenAtManyPlaces) {
  for (const std::string_view where : {"*:514", "10.0.0.2:6514", "[fd00::2]:514"}) {
    EXPECT_TRUE(add(where, any_).has_value());
  }
  EXPECT_EQ(find("fd00::2", 514), &any_);
  EXPECT_EQ(find("10.0.0.2", 6514), &any_);
}

}  // namespace
}  // namespace penstock
