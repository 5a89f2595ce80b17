// The keys of a session's seals, made from the producer's key and what both ends said when they
// opened it.
#pragma once

#include "dataplane/door/pdp/seal.h"

namespace penstock::pdp {

// A producer's key, as it stands in the file of keys.
using ProducerKey = std::array<std::byte, 32>;

// Nothing allocates.
[[nodiscard]] SealKey open_key(const ProducerKey& key, const Nonce& nonce, const Tag& cookie);
[[nodiscard]] SealKey producer_frames_key(const ProducerKey& key, const Nonce& nonce,
                                          const Tag& cookie, const Nonce& node_nonce);
[[nodiscard]] SealKey node_frames_key(const ProducerKey& key, const Nonce& nonce, const Tag& cookie,
                                      const Nonce& node_nonce);

}  // namespace penstock::pdp
