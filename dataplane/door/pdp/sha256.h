// SHA-256 (FIPS 180-4), and HMAC (RFC 2104) and HKDF (RFC 5869) made of it. Nothing allocates.
#pragma once

#include <openssl/sha.h>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>

namespace penstock::pdp {

using Digest = std::array<std::byte, 32>;
using Bytes = std::span<const std::byte>;

// Of what was added, as if it were one. Once finished it is used up.
class Sha256 {
 public:
  Sha256();
  Sha256& add(Bytes bytes);
  [[nodiscard]] Digest finish();

 private:
  SHA256_CTX state_;
};

[[nodiscard]] Digest sha256(std::initializer_list<Bytes> parts);

[[nodiscard]] Digest hmac_sha256(Bytes key, std::initializer_list<Bytes> parts);

// Extract, then expand to the length of `out`, at most 255 digests.
void hkdf_sha256(Bytes input_key, Bytes salt, Bytes info, std::span<std::byte> out);

}  // namespace penstock::pdp
