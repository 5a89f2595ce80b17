// Messages that begin with their number in 16 hexadecimal digits, numbered ahead by the dozen: what
// was just written byte by byte is slow to read in larger pieces.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace penstock::blast {

inline constexpr std::size_t kStampDigits = 16;

// What follows the number.
inline constexpr std::string_view kFiller =
    " the quick brown fox jumps over the lazy dog and counts 0123456789 packets on its way;";

// Eight digits of 32 bits, as they stand in memory: the highest in the lowest byte.
[[nodiscard]] constexpr std::uint64_t hex_digits(std::uint32_t value) {
  std::uint64_t nibbles = value;  // each to a byte of its own, the lowest first
  nibbles = (nibbles & 0xFFFFU) | (nibbles & 0xFFFF'0000U) << 16U;
  nibbles = (nibbles & 0x0000'00FF'0000'00FFU) | (nibbles & 0x0000'FF00'0000'FF00U) << 8U;
  nibbles = (nibbles & 0x000F'000F'000F'000FU) | (nibbles & 0x00F0'00F0'00F0'00F0U) << 4U;
  nibbles = std::byteswap(nibbles);
  const std::uint64_t letters = (nibbles + 0x0606'0606'0606'0606U) >> 4U & 0x0101'0101'0101'0101U;
  return nibbles + 0x3030'3030'3030'3030U + letters * ('a' - '0' - 10);
}
static_assert(std::endian::native == std::endian::little);

// The last two digits of numbers, where hex_digits() has them.
inline constexpr auto kLastDigits = [] {
  std::array<std::uint64_t, 256> digits{};
  for (std::uint32_t i = 0; i < digits.size(); ++i) digits[i] = hex_digits(i) >> 48U << 48U;
  return digits;
}();

// One thread.
class MessageSource {
 public:
  static constexpr std::size_t kAhead = 128;

  explicit MessageSource(std::size_t size) : size_(size), memory_(kAhead * size) {
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      memory_[i] = static_cast<std::byte>(kFiller[i % size % kFiller.size()]);
    }
    stamp_high();
    stamp();
  }

  // Messages lie in so many places, again and again; next() is in place().
  [[nodiscard]] std::span<const std::byte> message_at(std::size_t place) const {
    return {memory_.data() + place * size_, size_};
  }
  [[nodiscard]] std::uint64_t next() const { return next_; }
  [[nodiscard]] std::size_t place() const { return next_ % kAhead; }
  // How many messages are there, next() among them.
  [[nodiscard]] std::size_t ahead() const { return kAhead - place(); }
  // `count` is ahead() at most.
  void advance(std::size_t count) {
    const std::uint64_t high = next_ >> 32U;
    next_ += count;
    if (next_ >> 32U != high) stamp_high();
    if (count != 0 && place() == 0) stamp();
  }

 private:
  static constexpr std::size_t kHalf = kStampDigits / 2;
  void write(std::size_t place, std::size_t at, std::uint64_t digits) {
    std::memcpy(memory_.data() + place * size_ + at, &digits, sizeof digits);
  }
  // The first digits change with every 2^32 messages, which begin in the first place.
  void stamp_high() {
    const std::uint64_t digits = hex_digits(static_cast<std::uint32_t>(next_ >> 32U));
    for (std::size_t i = 0; i < kAhead; ++i) write(i, 0, digits);
  }
  // next_ is a multiple of kAhead: all but the last two digits are the same.
  void stamp() {
    static_assert(kLastDigits.size() % kAhead == 0);
    const std::uint64_t first = hex_digits(static_cast<std::uint32_t>(next_)) << 16U >> 16U;
    const std::size_t last = next_ % kLastDigits.size();
    for (std::size_t i = 0; i < kAhead; ++i) write(i, kHalf, first | kLastDigits[last + i]);
  }

  std::size_t size_;
  std::vector<std::byte> memory_;
  std::uint64_t next_ = 0;
};

}  // namespace penstock::blast
