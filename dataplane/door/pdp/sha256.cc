// OpenSSL's digest contexts of today allocate each time they are begun; those of its first
// interface do not. It is marked as deprecated for new kinds of hardware, not for its results.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "dataplane/door/pdp/sha256.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::pdp {
namespace {

constexpr std::size_t kBlockBytes = 64;

using Block = std::array<std::byte, kBlockBytes>;

// A key as one block of the hash, each byte crossed with `pad`.
Block padded(const Block& key, std::byte pad) {
  Block block = key;
  for (std::byte& byte : block) byte ^= pad;
  return block;
}

}  // namespace

Sha256::Sha256() { CHECK_EQ(SHA256_Init(&state_), 1); }

Sha256& Sha256::add(Bytes bytes) {
  CHECK_EQ(SHA256_Update(&state_, bytes.data(), bytes.size()), 1);
  return *this;
}

Digest Sha256::finish() {
  Digest digest;
  CHECK_EQ(SHA256_Final(reinterpret_cast<unsigned char*>(digest.data()), &state_), 1);
  return digest;
}

Digest sha256(std::initializer_list<Bytes> parts) {
  Sha256 hash;
  for (const Bytes part : parts) hash.add(part);
  return hash.finish();
}

Digest hmac_sha256(Bytes key, std::initializer_list<Bytes> parts) {
  Block block{};
  if (key.size() > kBlockBytes) {
    std::ranges::copy(sha256({key}), block.begin());
  } else {
    std::ranges::copy(key, block.begin());
  }
  Sha256 inner;
  inner.add(padded(block, std::byte{0x36}));
  for (const Bytes part : parts) inner.add(part);
  return sha256({padded(block, std::byte{0x5C}), inner.finish()});
}

void hkdf_sha256(Bytes input_key, Bytes salt, Bytes info, std::span<std::byte> out) {
  const Digest extracted = hmac_sha256(salt, {input_key});
  CHECK_LE(out.size(), 255 * sizeof(Digest));
  Digest block{};
  Bytes previous;
  for (std::byte round{1}; !out.empty(); round = std::byte(std::to_integer<unsigned>(round) + 1)) {
    block = hmac_sha256(extracted, {previous, info, Bytes(&round, 1)});
    previous = block;
    const std::size_t taken = std::min(out.size(), block.size());
    std::copy_n(block.begin(), taken, out.begin());
    out = out.subspan(taken);
  }
}

}  // namespace penstock::pdp
