#include "dataplane/door/pdp/sha256.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/unit/dataplane/door/pdp/vectors.h"

namespace penstock::pdp {
namespace {

using vectors::Buffer;
using vectors::bytes_of;
using vectors::from_hex;
using vectors::to_hex;

Buffer repeated(std::size_t count, std::uint8_t value) { return Buffer(count, std::byte{value}); }
Buffer counted(std::uint8_t first, std::uint8_t last) {
  Buffer bytes;
  for (unsigned i = first; i <= last; ++i) bytes.push_back(static_cast<std::byte>(i));
  return bytes;
}

TEST(Sha256, HashesPartsAsIfTheyWereOne) {
  const std::string_view abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(to_hex(sha256({bytes_of("abc")})), abc);
  EXPECT_EQ(to_hex(sha256({bytes_of("a"), {}, bytes_of("bc")})), abc);
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

struct HmacCase {
  Buffer key;
  std::string data;
  std::string_view digest;
};

TEST(HmacSha256, IsThatOfRfc4231) {
  const std::string_view of_larger_data =
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2";
  const HmacCase cases[] = {
      {repeated(20, 0x0B), "Hi There",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {bytes_of("Jefe"), "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {repeated(20, 0xAA), std::string(50, '\xDD'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {counted(1, 0x19), std::string(50, '\xCD'),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {repeated(131, 0xAA), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {repeated(131, 0xAA),
       "This is a test using a larger than block-size key and a larger than block-size data. "
       "The key needs to be hashed before being used by the HMAC algorithm.", of_larger_data},
  };
  for (const HmacCase& one : cases) {
    const Buffer data = bytes_of(one.data);
    EXPECT_EQ(to_hex(hmac_sha256(one.key, {data})), one.digest);
    const auto halves = std::span(data);
    EXPECT_EQ(to_hex(hmac_sha256(one.key, {halves.first(5), halves.subspan(5)})), one.digest);
  }
}

struct HkdfCase {
  Buffer key;
  Buffer salt;
  Buffer info;
  std::string_view output;
};

TEST(HkdfSha256, IsThatOfRfc5869) {
  const HkdfCase cases[] = {
      {repeated(22, 0x0B), counted(0, 0x0C), counted(0xF0, 0xF9),
       "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
      {counted(0, 0x4F), counted(0x60, 0xAF), counted(0xB0, 0xFF),
       "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e"
       "590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
      {repeated(22, 0x0B),
       {},
       {},
       "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
  };
  for (const HkdfCase& one : cases) {
    Buffer output(one.output.size() / 2);
    hkdf_sha256(one.key, one.salt, one.info, output);
    EXPECT_EQ(to_hex(output), one.output);
    output.resize(16);
    hkdf_sha256(one.key, one.salt, one.info, output);
    EXPECT_EQ(to_hex(output), one.output.substr(0, 32));
  }
}

TEST(HkdfSha256, GivesUpTo255Digests) {
  Buffer output(255 * sizeof(Digest));
  hkdf_sha256(repeated(32, 1), {}, {}, output);
  EXPECT_NE(output.back(), output.front());
}

}  // namespace
}  // namespace penstock::pdp
