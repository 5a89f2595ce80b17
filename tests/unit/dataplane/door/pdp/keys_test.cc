#include "dataplane/door/pdp/keys.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/door/pdp/vectors.h"

namespace penstock::pdp {
namespace {

using vectors::array_of;
using vectors::Json;

TEST(PdpKeys, AreThoseOfTheVectors) {
  for (const Json& vector : vectors::load_vectors("keys", "keys")) {
    const auto key = array_of<32>(vector.at("producer_key"));
    const auto nonce = array_of<16>(vector.at("nonce"));
    const auto cookie = array_of<16>(vector.at("cookie"));
    const auto node_nonce = array_of<16>(vector.at("node_nonce"));
    EXPECT_EQ(open_key(key, nonce, cookie), array_of<16>(vector.at("open_key")));
    EXPECT_EQ(producer_frames_key(key, nonce, cookie, node_nonce),
              array_of<16>(vector.at("producer_frames_key")));
    EXPECT_EQ(node_frames_key(key, nonce, cookie, node_nonce),
              array_of<16>(vector.at("node_frames_key")));
  }
}

}  // namespace
}  // namespace penstock::pdp
