#include "dataplane/door/pdp/keys.h"

#include "dataplane/door/pdp/sha256.h"

namespace penstock::pdp {
namespace {

SealKey derive(const ProducerKey& key, Bytes salt, std::string_view info) {
  SealKey derived;
  hkdf_sha256(key, salt, std::as_bytes(std::span(info)), derived);
  return derived;
}

std::array<std::byte, 32> joined(const Nonce& nonce, const Tag& cookie) {
  std::array<std::byte, 32> salt;
  store(salt, 0, nonce);
  store(salt, 16, cookie);
  return salt;
}

std::array<std::byte, 48> joined(const Nonce& nonce, const Tag& cookie, const Nonce& node_nonce) {
  std::array<std::byte, 48> salt;
  store(salt, 0, nonce);
  store(salt, 16, cookie);
  store(salt, 32, node_nonce);
  return salt;
}

}  // namespace

SealKey open_key(const ProducerKey& key, const Nonce& nonce, const Tag& cookie) {
  return derive(key, joined(nonce, cookie), "pdp1 open");
}

SealKey producer_frames_key(const ProducerKey& key, const Nonce& nonce, const Tag& cookie,
                            const Nonce& node_nonce) {
  return derive(key, joined(nonce, cookie, node_nonce), "pdp1 producer");
}

SealKey node_frames_key(const ProducerKey& key, const Nonce& nonce, const Tag& cookie,
                        const Nonce& node_nonce) {
  return derive(key, joined(nonce, cookie, node_nonce), "pdp1 node");
}

}  // namespace penstock::pdp
