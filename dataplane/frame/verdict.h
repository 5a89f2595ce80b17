// What the frame stage decides about packets, in the shape in which the books take it:
//
//   account[verdict.fate].add(verdict.packets, verdict.bytes)
//
// is right after every call. Most often it is about one packet; it is about none when a fragment is
// held, and about many when a datagram's last fragment came, or when what was held is given up.
#pragma once

#include <cstdint>

#include "dataplane/ledger/fates.h"

namespace penstock {

struct Verdict {
  PacketFate fate = PacketFate::kDecoded;
  std::uint32_t packets = 0;
  std::uint64_t bytes = 0;  // of their frames

  // Of the same fate.
  constexpr Verdict& operator+=(const Verdict& other) {
    packets += other.packets;
    bytes += other.bytes;
    return *this;
  }
  constexpr bool operator==(const Verdict&) const = default;
};
static_assert(sizeof(Verdict) == 16, "travels in two registers");

}  // namespace penstock
