// Which of the packet numbers of one direction came already: RFC 4303's window, of 256 numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace penstock::pdp {

inline constexpr std::uint64_t kReplayWindowPackets = 256;

enum class Replay : std::uint8_t {
  kNew,
  kSeen,
  kTooOld,  // kReplayWindowPackets or more below the highest: nobody knows any more
};

// Numbers are from 1 up. 0 was always seen.
class ReplayWindow {
 public:
  [[nodiscard]] Replay look(std::uint64_t packet) const {
    if (packet > highest_) return Replay::kNew;
    if (highest_ - packet >= kReplayWindowPackets) return Replay::kTooOld;
    return (word(packet) & bit(packet)) != 0 ? Replay::kSeen : Replay::kNew;
  }

  // For a frame that look() found new and whose seal is right: before that nobody may move the
  // window.
  void mark(std::uint64_t packet) {
    if (packet > highest_) {
      forget_between(packet);
      highest_ = packet;
    }
    seen_[index(packet)] |= bit(packet);
  }

  [[nodiscard]] std::uint64_t highest() const { return highest_; }

 private:
  static constexpr std::uint64_t kWordBits = 64;
  static constexpr std::size_t kWords = kReplayWindowPackets / kWordBits;

  static std::size_t index(std::uint64_t packet) { return packet / kWordBits % kWords; }
  static std::uint64_t bit(std::uint64_t packet) { return std::uint64_t{1} << packet % kWordBits; }
  [[nodiscard]] std::uint64_t word(std::uint64_t packet) const { return seen_[index(packet)]; }

  // The bits of numbers above highest_ up to `packet` were those of numbers that leave the window.
  void forget_between(std::uint64_t packet) {
    const std::uint64_t steps = packet - highest_;
    if (steps >= kReplayWindowPackets) {
      seen_ = {};
      return;
    }
    for (std::uint64_t i = 1; i <= steps; ++i) seen_[index(highest_ + i)] &= ~bit(highest_ + i);
  }

  std::uint64_t highest_ = 0;
  std::array<std::uint64_t, kWords> seen_{1};  // bit of number % kReplayWindowPackets
};

}  // namespace penstock::pdp
