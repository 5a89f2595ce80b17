#include "dataplane/door/pdp/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/check.h"

namespace penstock::pdp {
namespace {

// The nonce of the algorithm: four zeros, then the number of the packet.
struct Iv {
  std::uint32_t zeros = 0;
  std::array<std::byte, 8> packet;
};
static_assert(sizeof(Iv) == 12);

const unsigned char* raw(const void* bytes) { return static_cast<const unsigned char*>(bytes); }

}  // namespace

void Sealer::Free::operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }

Sealer::Sealer() : context_(EVP_CIPHER_CTX_new()) {
  CHECK(context_ != nullptr);
  CHECK_EQ(
      EVP_EncryptInit_ex2(context_.get(), EVP_aes_128_gcm(), raw(key_.data()), nullptr, nullptr),
      1);
}

void Sealer::seal(std::span<std::byte> frame, const SealKey& key, std::uint64_t packet) {
  CHECK_GE(frame.size(), sizeof(FrameHeader) + sizeof(Trailer));
  store(frame, frame.size() - sizeof(Trailer), packet);
  store(frame, frame.size() - sizeof(Tag), tag_of(frame, key));
}

bool Sealer::verify(std::span<const std::byte> frame, const SealKey& key) {
  CHECK_GE(frame.size(), sizeof(FrameHeader) + sizeof(Trailer));
  const Tag right = tag_of(frame, key);
  return CRYPTO_memcmp(right.data(), frame.last(sizeof right).data(), sizeof right) == 0;
}

Tag Sealer::tag_of(std::span<const std::byte> frame, const SealKey& key) {
  const auto data = frame.first(frame.size() - sizeof(Tag));
  Iv iv;
  iv.packet = load<std::array<std::byte, 8>>(frame, frame.size() - sizeof(Trailer));
  const bool same_key = key == key_;
  CHECK_EQ(EVP_EncryptInit_ex2(context_.get(), nullptr, same_key ? nullptr : raw(key.data()),
                               raw(&iv), nullptr),
           1);
  key_ = key;
  Tag tag;
  int length = 0;
  EVP_CIPHER_CTX* context = context_.get();
  CHECK_EQ(
      EVP_EncryptUpdate(context, nullptr, &length, raw(data.data()), static_cast<int>(data.size())),
      1);
  CHECK_EQ(EVP_EncryptFinal_ex(context, reinterpret_cast<unsigned char*>(tag.data()), &length), 1);
  CHECK_EQ(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag.data()), 1);
  return tag;
}

}  // namespace penstock::pdp
