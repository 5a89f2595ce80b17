// Reads a packet again that a FrameDecoder has judged: of another shard, which has none for its
// port.
#pragma once

#include <optional>

#include "dataplane/frame/datagram.h"

struct rte_mbuf;

namespace penstock {

// Nothing: it is no whole UDP datagram. A chained packet is put together in `scratch`; checksums
// are believed.
[[nodiscard]] std::optional<Datagram> parse_datagram(const rte_mbuf& packet, UnixNanos received,
                                                     std::span<std::byte> scratch);

}  // namespace penstock
