// Cookies: what a HELLO is answered with, and an OPEN brings back from an address that received it.
// Nothing is kept of those that were given out.
#pragma once

#include <openssl/types.h>

#include <memory>

#include "base/units.h"
#include "dataplane/door/pdp/wire.h"

namespace penstock::pdp {

inline constexpr std::int64_t kCookieNanosMax = 10 * kNanosPerSecond;

// What a cookie vouches for.
struct CookieClaim {
  std::array<std::byte, 16> address{};  // of the producer; IPv4 mapped into IPv6
  Nonce nonce{};
  std::uint64_t issued_ns = 0;  // by the node's monotonic clock
  std::uint16_t port = 0;
};

enum class CookieFate : std::uint8_t {
  kRight,
  kStale,  // it was right, more than kCookieNanosMax ago
  kWrong,  // of somebody else, or of the future
};

using CookieSecret = std::array<std::byte, 16>;
[[nodiscard]] CookieSecret cookie_secret_from_kernel();

// One thread at a time. Shards that take each other's cookies have jars of the same secret. The
// constructor allocates, the others do not.
class CookieJar {
 public:
  explicit CookieJar(const CookieSecret& secret);

  [[nodiscard]] Tag make(const CookieClaim& claim);
  [[nodiscard]] CookieFate check(const CookieClaim& claim, const Tag& cookie, MonotonicNanos now);

 private:
  struct Free {
    void operator()(EVP_MAC_CTX* context) const;
  };
  std::unique_ptr<EVP_MAC_CTX, Free> context_;
  CookieSecret secret_;
};

}  // namespace penstock::pdp
