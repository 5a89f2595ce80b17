// The trailer of sealed frames: AES-128-GMAC over all that stands before the tag.
#pragma once

#include <openssl/types.h>

#include <memory>

#include "dataplane/door/pdp/wire.h"

namespace penstock::pdp {

using SealKey = std::array<std::byte, 16>;

// One thread at a time; keys and directions may change with every call. The constructor allocates,
// the others do not. What a key costs is paid once for frames that follow each other with the same.
class Sealer {
 public:
  Sealer();

  // Writes the trailer at the end of a frame that is otherwise complete (encode_frame with
  // `sealed`). Never twice the same number with the same key for different frames: that would give
  // the key away.
  void seal(std::span<std::byte> frame, const SealKey& key, std::uint64_t packet);

  // Whether the tag of a frame, sealed as decode_frame() says, is right. Takes as long for each
  // wrong tag.
  [[nodiscard]] bool verify(std::span<const std::byte> frame, const SealKey& key);

 private:
  [[nodiscard]] Tag tag_of(std::span<const std::byte> frame, const SealKey& key);

  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const;
  };
  std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
  SealKey key_{};  // the context's
};

}  // namespace penstock::pdp
