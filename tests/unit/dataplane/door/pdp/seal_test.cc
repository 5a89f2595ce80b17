#include "dataplane/door/pdp/seal.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/door/pdp/vectors.h"

namespace penstock::pdp {
namespace {

using vectors::Buffer;
using vectors::Json;

SealKey key_of(std::uint8_t first) {
  SealKey key{};
  key[0] = std::byte{first};
  return key;
}

Buffer close_frame(std::uint64_t next) {
  Buffer frame(sizeof(FrameHeader) + sizeof(CloseBody) + sizeof(Trailer));
  encode_frame(frame, FrameType::kClose, 1, CloseBody{.next = next, .reserved = 0}, true);
  return frame;
}

TEST(PdpSeal, OfEveryVectorIsRight) {
  int cases = 0;
  Sealer sealer;
  for (std::size_t type = 1; type < kFrameTypes; ++type) {
    for (const Json& vector : vectors::load_vectors(name_of(static_cast<FrameType>(type)))) {
      if (!vector.contains("seal")) continue;
      const auto key = vectors::array_of<16>(vector.at("seal").at("key"));
      EXPECT_TRUE(sealer.verify(vectors::frame_of(vector), key)) << vector.at("name");
      ++cases;
    }
  }
  EXPECT_GT(cases, 8);
}

TEST(PdpSeal, IsWrongForEveryBitThatIsTurned) {
  Sealer sealer;
  Buffer frame = close_frame(7);
  sealer.seal(frame, key_of(1), 1);
  ASSERT_TRUE(sealer.verify(frame, key_of(1)));
  for (std::size_t bit = 0; bit < 8 * frame.size(); ++bit) {
    frame[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
    EXPECT_FALSE(sealer.verify(frame, key_of(1))) << bit;
    frame[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
  }
  EXPECT_TRUE(sealer.verify(frame, key_of(1)));
}

TEST(PdpSeal, DependsOnTheKeyAndOnTheNumberOfThePacket) {
  Sealer sealer;
  Buffer first = close_frame(7);
  Buffer second = close_frame(7);
  sealer.seal(first, key_of(1), 1);
  sealer.seal(second, key_of(1), 1);
  EXPECT_EQ(first, second);
  sealer.seal(second, key_of(1), 1ULL << 32U);
  EXPECT_FALSE(std::ranges::equal(std::span(first).last(16), std::span(second).last(16)));
  EXPECT_EQ(load<std::uint64_t>(second, second.size() - 24), 1ULL << 32U);
  EXPECT_FALSE(sealer.verify(first, key_of(2)));
}

// Keys change with every call or stay: a sealer forgets the one before, and its nonce.
TEST(PdpSeal, IsTheSameWhateverWasSealedBefore) {
  Sealer used;
  for (std::uint8_t i = 0; i < 100; ++i) {
    const SealKey key = key_of(static_cast<std::uint8_t>(i / 3 % 4));
    Buffer frame = close_frame(i);
    Buffer again = close_frame(i);
    used.seal(frame, key, i);
    Sealer fresh;
    fresh.seal(again, key, i);
    EXPECT_EQ(frame, again);
    EXPECT_FALSE(used.verify(frame, key_of(9)));
    EXPECT_TRUE(used.verify(frame, key));
  }
}

}  // namespace
}  // namespace penstock::pdp
