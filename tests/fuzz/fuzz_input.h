// A fuzzer's input, read from front to back; behind its end there are zeros and empty spans.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace penstock::fuzz {

class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size)
      : rest_(std::as_bytes(std::span(data, size))) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::span<const std::byte> rest() const { return rest_; }
  [[nodiscard]] std::span<const std::byte> bytes(std::size_t n) {
    const auto taken = rest_.first(std::min(n, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  template <class T>
  [[nodiscard]] T number() {
    T value{};
    const auto taken = bytes(sizeof value);
    if (!taken.empty()) std::memcpy(&value, taken.data(), taken.size());
    return value;
  }

 private:
  std::span<const std::byte> rest_;
};

[[nodiscard]] inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Whether a view that a parser gave out points into what the parser was given. An empty one may be
// null.
[[nodiscard]] inline bool lies_in(std::span<const std::byte> part,
                                  std::span<const std::byte> whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}
[[nodiscard]] inline bool lies_in(std::string_view part, std::string_view whole) {
  return lies_in(std::as_bytes(std::span(part)), std::as_bytes(std::span(whole)));
}

}  // namespace penstock::fuzz
