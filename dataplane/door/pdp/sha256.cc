#include "dataplane/door/pdp/sha256.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace penstock::pdp {

void Sha256::Free::operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  CHECK(context_ != nullptr);
  CHECK_EQ(EVP_DigestInit_ex2(context_.get(), EVP_sha256(), nullptr), 1);
}

Digest Sha256::of(std::initializer_list<std::span<const std::byte>> parts) {
  // No digest named: the context keeps its own, and what it has allocated for it.
  CHECK_EQ(EVP_DigestInit_ex2(context_.get(), nullptr, nullptr), 1);
  for (const auto part : parts) {
    CHECK_EQ(EVP_DigestUpdate(context_.get(), part.data(), part.size()), 1);
  }
  Digest digest;
  CHECK_EQ(
      EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr),
      1);
  return digest;
}

}  // namespace penstock::pdp
