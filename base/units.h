// Strong types for the numbers that travel through every room, so that a sequence is never passed
// where an offset is meant. Each is one integer at run time.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include <fmt/format.h>

namespace penstock {

// A counted thing: ordered, advances by whole steps, distances are plain integers.
template <class Tag, class Rep = std::uint64_t>
struct Ordinal {
  Rep value{};

  constexpr Ordinal() = default;
  constexpr explicit Ordinal(Rep v) : value(v) {}
  constexpr auto operator<=>(const Ordinal&) const = default;
  constexpr Ordinal& operator++() {
    ++value;
    return *this;
  }
  constexpr Ordinal& operator+=(Rep n) {
    value += n;
    return *this;
  }
  [[nodiscard]] constexpr Ordinal operator+(Rep n) const { return Ordinal(value + n); }
  [[nodiscard]] constexpr Rep operator-(Ordinal other) const { return value - other.value; }
};

using BlockSequence = Ordinal<struct BlockSequenceTag>;      // of a block within its log
using SegmentSequence = Ordinal<struct SegmentSequenceTag>;  // of a segment within its log, from 1
using Offset = Ordinal<struct OffsetTag>;                    // of a message within its partition
using StreamId = Ordinal<struct StreamIdTag>;                // hash of a stream's name
using SessionNumber = Ordinal<struct SessionNumberTag>;      // hash of a producer's session's name
using Generation = Ordinal<struct GenerationTag>;            // random; new for each use of a slot
using LogNumber = Ordinal<struct LogNumberTag, std::uint32_t>;  // of a log within its volume
using SlotIndex = Ordinal<struct SlotIndexTag, std::uint32_t>;  // of a segment's place in a volume

// Nanoseconds since 1970-01-01 UTC: for people, retention and messages.
using UnixNanos = Ordinal<struct UnixNanosTag, std::int64_t>;
// Nanoseconds of a clock that never steps: for timeouts.
using MonotonicNanos = Ordinal<struct MonotonicNanosTag, std::int64_t>;

inline constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

inline constexpr std::size_t kCacheLineBytes = 64;

template <class T>
[[nodiscard]] constexpr T align_up(T n, T alignment) {
  return static_cast<T>((n + alignment - 1) / alignment * alignment);
}

}  // namespace penstock

template <class Tag, class Rep>
struct fmt::formatter<penstock::Ordinal<Tag, Rep>> : fmt::formatter<Rep> {
  auto format(const penstock::Ordinal<Tag, Rep>& o, fmt::format_context& ctx) const {
    return fmt::formatter<Rep>::format(o.value, ctx);
  }
};
