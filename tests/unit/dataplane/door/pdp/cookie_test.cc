#include "dataplane/door/pdp/cookie.h"

#include <limits>

#include <gtest/gtest.h>

#include "tests/unit/dataplane/door/pdp/vectors.h"

namespace penstock::pdp {
namespace {

constexpr std::int64_t kIssued = 100 * kNanosPerSecond;

CookieClaim claim() {
  CookieClaim claim{.issued_ns = kIssued, .port = 4711};
  claim.address[15] = std::byte{1};
  claim.nonce[0] = std::byte{2};
  return claim;
}

class PdpCookie : public testing::Test {
 protected:
  [[nodiscard]] bool holds(const CookieClaim& other) {
    return jar_.check(other, cookie_, MonotonicNanos(kIssued)) == CookieFate::kRight;
  }
  CookieJar jar_{CookieSecret{std::byte{7}}};
  Tag cookie_ = jar_.make(claim());
};

TEST_F(PdpCookie, HoldsForWhatItWasMadeFor) {
  EXPECT_TRUE(holds(claim()));
  EXPECT_TRUE(holds(claim()));
}

TEST_F(PdpCookie, DoesNotHoldForAnythingElse) {
  for (std::size_t i = 0; i < 16; ++i) {
    CookieClaim other = claim();
    other.address[i] ^= std::byte{1};
    EXPECT_FALSE(holds(other));
    other = claim();
    other.nonce[i] ^= std::byte{0x80};
    EXPECT_FALSE(holds(other));
    Tag wrong = cookie_;
    wrong[i] ^= std::byte{1};
    EXPECT_EQ(jar_.check(claim(), wrong, MonotonicNanos(kIssued)), CookieFate::kWrong);
  }
  CookieClaim other = claim();
  other.port = 4712;
  EXPECT_FALSE(holds(other));
  other = claim();
  other.issued_ns -= 1;
  EXPECT_FALSE(holds(other));
}

TEST_F(PdpCookie, IsGoodFromWhenItWasIssuedForTenSeconds) {
  const auto at = [&](std::int64_t now) {
    return jar_.check(claim(), cookie_, MonotonicNanos(now));
  };
  EXPECT_EQ(at(kIssued - 1), CookieFate::kWrong);
  EXPECT_EQ(at(kIssued + 10 * kNanosPerSecond), CookieFate::kRight);
  EXPECT_EQ(at(kIssued + 10 * kNanosPerSecond + 1), CookieFate::kStale);
}

TEST_F(PdpCookie, OfAnyTimeAtAllIsOfTheFutureOrTooOld) {
  for (const std::uint64_t issued :
       {std::uint64_t{0}, std::uint64_t{1} << 63U, std::numeric_limits<std::uint64_t>::max()}) {
    CookieClaim other = claim();
    other.issued_ns = issued;
    EXPECT_EQ(jar_.check(other, jar_.make(other), MonotonicNanos(kIssued)),
              issued == 0 ? CookieFate::kStale : CookieFate::kWrong);
    EXPECT_EQ(jar_.check(other, cookie_, MonotonicNanos(kIssued)), CookieFate::kWrong);
  }
}

TEST_F(PdpCookie, IsTakenByAJarOfTheSameSecretOnly) {
  CookieJar same(CookieSecret{std::byte{7}});
  CookieJar other(CookieSecret{std::byte{8}});
  EXPECT_EQ(same.check(claim(), cookie_, MonotonicNanos(kIssued)), CookieFate::kRight);
  EXPECT_EQ(other.check(claim(), cookie_, MonotonicNanos(kIssued)), CookieFate::kWrong);
  EXPECT_NE(cookie_secret_from_kernel(), cookie_secret_from_kernel());
}

// Of 48 zeros, as `openssl mac -macopt size:16 ... SIPHASH` has it for this secret.
TEST_F(PdpCookie, IsSipHash24Of128Bits) {
  EXPECT_EQ(vectors::to_hex(jar_.make({})), "1b343af12a56909ac8176b0ad36e2e16");
}

}  // namespace
}  // namespace penstock::pdp
