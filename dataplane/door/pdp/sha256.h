// SHA-256 by OpenSSL, with a context that is made once: a hash allocates nothing.
#pragma once

#include <openssl/types.h>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>

namespace penstock::pdp {

using Digest = std::array<std::byte, 32>;

// One thread at a time. The constructor allocates, of() does not.
class Sha256 {
 public:
  Sha256();

  // Of the parts as if they were one.
  [[nodiscard]] Digest of(std::initializer_list<std::span<const std::byte>> parts);

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const;
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace penstock::pdp
