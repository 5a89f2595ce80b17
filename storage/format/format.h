// What all on-disk structures share. The document from which somebody else could write a reader is
// docs/format.md; every struct here is one of its tables. Everything is little-endian.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/units.h"

namespace penstock {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

// One version for the whole volume. A volume of another version is refused and left untouched.
inline constexpr std::uint32_t kFormatVersion = 2;

// The unit of direct I/O: every structure that is written alone starts and ends on it.
inline constexpr std::uint32_t kPageBytes = 4096;

// Messages within a run start on this boundary.
inline constexpr std::uint32_t kMessageAlign = 8;

using VolumeId = std::array<std::byte, 16>;

// Eight ASCII characters as they appear in the first bytes of a structure.
[[nodiscard]] consteval std::uint64_t magic64(std::string_view text) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(text[i])) << (8 * i);
  }
  return value;
}

// Structures are copied in and out, never cast over a buffer that others write.
template <class T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] T load(std::span<const std::byte> bytes, std::size_t at = 0) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class T>
  requires std::is_trivially_copyable_v<T>
void store(std::span<std::byte> bytes, std::size_t at, const T& value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

// The first byte is zero, and each of the others is as the one before it: compared as fast as
// memory is.
[[nodiscard]] inline bool all_zero(std::span<const std::byte> bytes) {
  return bytes.empty() || (bytes.front() == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// A stream's identity in captures: FNV-1a 64 of its name, so that any node gives it the same
// number.
[[nodiscard]] constexpr StreamId stream_id(std::string_view name) {
  std::uint64_t h = 0xCBF29CE484222325ULL;
  for (const char c : name) {
    h ^= static_cast<unsigned char>(c);
    h *= 0x100000001B3ULL;
  }
  return StreamId(h);
}

}  // namespace penstock
