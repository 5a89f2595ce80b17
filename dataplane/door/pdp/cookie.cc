#include "dataplane/door/pdp/cookie.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/check.h"
#include "base/rng.h"

namespace penstock::pdp {
namespace {

// What is hashed.
struct ClaimBytes {
  std::array<std::byte, 16> address;
  Nonce nonce;
  std::uint64_t issued_ns;
  std::uint64_t port;
};
static_assert(std::has_unique_object_representations_v<ClaimBytes>);

}  // namespace

CookieSecret cookie_secret_from_kernel() {
  CookieSecret secret;
  fill_from_kernel(secret);
  return secret;
}

void CookieJar::Free::operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }

CookieJar::CookieJar(const CookieSecret& secret) : secret_(secret) {
  EVP_MAC* siphash = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_SIPHASH, nullptr);
  CHECK(siphash != nullptr);
  context_.reset(EVP_MAC_CTX_new(siphash));
  EVP_MAC_free(siphash);  // the context holds on to it
  CHECK(context_ != nullptr);
  std::size_t tag_bytes = sizeof(Tag);
  const std::array params = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &tag_bytes),
                             OSSL_PARAM_construct_end()};
  CHECK_EQ(EVP_MAC_CTX_set_params(context_.get(), params.data()), 1);
}

Tag CookieJar::make(const CookieClaim& claim) {
  const ClaimBytes bytes = {.address = claim.address,
                            .nonce = claim.nonce,
                            .issued_ns = claim.issued_ns,
                            .port = claim.port};
  EVP_MAC_CTX* context = context_.get();
  CHECK_EQ(EVP_MAC_init(context, reinterpret_cast<const unsigned char*>(secret_.data()),
                        secret_.size(), nullptr),
           1);
  CHECK_EQ(EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(&bytes), sizeof bytes),
           1);
  Tag cookie;
  std::size_t length = 0;
  CHECK_EQ(EVP_MAC_final(context, reinterpret_cast<unsigned char*>(cookie.data()), &length,
                         cookie.size()),
           1);
  CHECK_EQ(length, cookie.size());
  return cookie;
}

CookieFate CookieJar::check(const CookieClaim& claim, const Tag& cookie, MonotonicNanos now) {
  const Tag right = make(claim);
  if (CRYPTO_memcmp(right.data(), cookie.data(), cookie.size()) != 0) return CookieFate::kWrong;
  // Only now the time is one that a node said.
  const auto now_ns = static_cast<std::uint64_t>(now.value);
  if (claim.issued_ns > now_ns) return CookieFate::kWrong;
  return now_ns - claim.issued_ns > kCookieNanosMax ? CookieFate::kStale : CookieFate::kRight;
}

}  // namespace penstock::pdp
