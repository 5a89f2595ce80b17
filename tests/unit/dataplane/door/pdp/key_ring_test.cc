#include "dataplane/door/pdp/key_ring.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "tests/lib/log_fixture.h"
#include "tests/unit/dataplane/door/pdp/vectors.h"

namespace penstock::pdp {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kSecret = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
const std::string kOther(64, 'e');

ProducerKey key_of(std::string_view hex) {
  std::string lower(hex);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return vectors::array_of<32>(lower);
}

std::string problem_of(const std::string& text) {
  const auto ring = KeyRing::parse(text, "keys");
  return ring ? "" : ring.error().what;
}

TEST(PdpKeyRing, FindsKeysByName) {
  const auto ring = KeyRing::parse("zeta " + kOther + "\nalpha " + kSecret + "\n", "keys");
  ASSERT_TRUE(ring.has_value()) << ring.error().what;
  EXPECT_EQ(ring->size(), 2U);
  ASSERT_NE(ring->find("alpha"), nullptr);
  EXPECT_EQ(*ring->find("alpha"), key_of(kSecret));
  EXPECT_EQ(*ring->find("zeta"), key_of(kOther));
  for (const std::string_view name : {"", "a", "alph", "alpha ", "beta", "zeta0", "zz"}) {
    EXPECT_EQ(ring->find(name), nullptr) << name;
  }
  EXPECT_EQ(KeyRing().find("alpha"), nullptr);
}

TEST(PdpKeyRing, TakesCommentsBlanksAndAnyEndOfLine) {
  const auto ring = KeyRing::parse("# keys of producers\n\n \t a\t" + kSecret + "  # of a\r\n\r\n" +
                                       std::string(64, 'n') + " " + kOther + "#\n#",
                                   "keys");
  ASSERT_TRUE(ring.has_value()) << ring.error().what;
  EXPECT_EQ(ring->size(), 2U);
  EXPECT_NE(ring->find("a"), nullptr);
  EXPECT_NE(ring->find(std::string(64, 'n')), nullptr);
  EXPECT_EQ(KeyRing::parse("", "keys")->size(), 0U);
}

TEST(PdpKeyRing, SaysWhichLineIsWrongAndWhatToDo) {
  EXPECT_THAT(problem_of("#\n" + std::string(65, 'n') + " " + kSecret),
              AllOf(StartsWith("keys:2: "), HasSubstr("1 to 64 printable")));
  EXPECT_THAT(problem_of("b\x01 " + kSecret), HasSubstr("printable"));
  EXPECT_THAT(problem_of("schl\xC3\xBCssel " + kSecret), HasSubstr("printable"));
  EXPECT_THAT(problem_of("a\n"), AllOf(StartsWith("keys:1: "), HasSubstr("openssl rand -hex 32")));
  EXPECT_THAT(problem_of("a " + kSecret + "0"), HasSubstr("64 hexadecimal digits"));
  EXPECT_THAT(problem_of("a " + kSecret.substr(1)), HasSubstr("64 hexadecimal digits"));
  for (const char wrong : {'g', 'G', '/', ':', '@', '`', '\xC1'}) {
    std::string hex = kSecret;
    hex[33] = wrong;
    EXPECT_THAT(problem_of("a " + hex), HasSubstr("64 hexadecimal digits"));
  }
  EXPECT_THAT(problem_of("a " + kSecret + " b"), HasSubstr("a comment begins with #"));
  EXPECT_THAT(problem_of("a " + kSecret + "\nb " + kSecret + "\na " + kOther + "\n"),
              AllOf(StartsWith("keys:3: "), HasSubstr("line 1 already")));
}

TEST(PdpKeyRing, NeverRepeatsASecretInWhatItSays) {
  for (const std::string& line : {kSecret + " a", kSecret, "a " + kSecret + "0", "a b " + kSecret,
                                  "a " + kSecret + " " + kSecret}) {
    const std::string problem = problem_of(line);
    EXPECT_FALSE(problem.empty()) << line;
    EXPECT_THAT(problem, Not(HasSubstr(kSecret.substr(0, 8))));
  }
}

TEST(PdpKeyRing, IsBounded) {
  std::string text;
  for (std::size_t i = 0; i < kKeysMax; ++i) text += fmt::format("n{} {}\n", i, kOther);
  ASSERT_TRUE(KeyRing::parse(text, "keys").has_value());
  EXPECT_EQ(KeyRing::parse(text, "keys")->size(), kKeysMax);
  EXPECT_THAT(problem_of(text + "more " + kOther), HasSubstr("more than 65536 keys"));
}

class PdpKeyFile : public testing::Test {
 protected:
  void write(std::string_view text, mode_t mode) const {
    std::ofstream(path_) << text;
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
  }
  TestFolder folder_;
  std::string path_ = folder_.path() + "/keys";
};

TEST_F(PdpKeyFile, IsReadAndTellsWhetherOthersCanReadItToo) {
  write("a " + kSecret + "\n", 0640);
  auto file = read_key_file(path_);
  ASSERT_TRUE(file.has_value()) << file.error().what;
  EXPECT_NE(file->keys.find("a"), nullptr);
  EXPECT_EQ(file->warning, "");
  write("a " + kSecret + "\n", 0644);
  EXPECT_THAT(read_key_file(path_)->warning, AllOf(HasSubstr(path_), HasSubstr("chmod o-r")));
}

TEST_F(PdpKeyFile, ThatCannotBeReadIsRefusedByName) {
  const auto missing = read_key_file(path_);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
  EXPECT_THAT(missing.error().what, AllOf(HasSubstr(path_), HasSubstr("openssl rand -hex 32")));
  EXPECT_THAT(read_key_file(folder_.path()).error().what, HasSubstr("no regular file"));
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(read_key_file(path_).error().what, HasSubstr("no regular file"));
}

TEST_F(PdpKeyFile, ThatIsTooLargeToBeOneIsRefused) {
  write("", 0600);
  std::filesystem::resize_file(path_, kKeyFileBytesMax + 1);
  EXPECT_THAT(read_key_file(path_).error().what, HasSubstr("at most"));
}

TEST_F(PdpKeyFile, WithAMistakeIsNamedInIt) {
  write("\na b\n", 0600);
  EXPECT_THAT(read_key_file(path_).error().what, StartsWith(path_ + ":2: "));
}

}  // namespace
}  // namespace penstock::pdp
