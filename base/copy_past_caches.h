// Copying into memory that a drive or another core reads next, and not this core.
//
// A usual store brings its line into the core's cache first: out of memory, or out of the cache of
// whoever read there before. Stores of whole lines past the caches bring nothing, and wait for
// nothing.
#pragma once

#include <emmintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/units.h"

namespace penstock {

// `to` has room for all of it. Not in order with other stores: see order_copies().
inline void copy_past_caches(std::byte* to, std::span<const std::byte> from) {
  const std::size_t in_line = reinterpret_cast<std::uintptr_t>(to) % kCacheLineBytes;
  const std::size_t first = std::min(in_line == 0 ? 0 : kCacheLineBytes - in_line, from.size());
  std::memcpy(to, from.data(), first);
  std::size_t at = first;
  for (; from.size() - at >= kCacheLineBytes; at += kCacheLineBytes) {
    for (std::size_t i = at; i < at + kCacheLineBytes; i += sizeof(__m128i)) {
      __m128i piece;
      std::memcpy(&piece, from.data() + i, sizeof piece);
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), piece);
    }
  }
  std::memcpy(to + at, from.data() + at, from.size() - at);
}

// What was copied before this is in memory before what is stored after it.
inline void order_copies() { _mm_sfence(); }

}  // namespace penstock
