// Reading and writing integers in network order at any address.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace penstock {

static_assert(std::endian::native == std::endian::little);

template <class T>
[[nodiscard]] inline T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

[[nodiscard]] inline std::uint16_t load_be16(const std::byte* at) {
  return __builtin_bswap16(load<std::uint16_t>(at));
}
[[nodiscard]] inline std::uint32_t load_be32(const std::byte* at) {
  return __builtin_bswap32(load<std::uint32_t>(at));
}

template <class T>
inline void store(std::byte* at, const T& value) {
  std::memcpy(at, &value, sizeof value);
}

inline void store_be16(std::byte* at, std::uint16_t value) { store(at, __builtin_bswap16(value)); }
inline void store_be32(std::byte* at, std::uint32_t value) { store(at, __builtin_bswap32(value)); }

[[nodiscard]] inline std::uint8_t octet(const std::byte* at) {
  return std::to_integer<std::uint8_t>(*at);
}

}  // namespace penstock
