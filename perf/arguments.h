// What the measuring programs are told on their command lines.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace penstock {

// None: the text is not a number of that kind from its beginning to its end.
template <class Number>
[[nodiscard]] std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = error == std::errc{} && end == text.data() + text.size();
  return is_whole ? std::optional(number) : std::nullopt;
}

// The same for whom 0 is as wrong as what is no number.
template <class Number>
[[nodiscard]] Number number_of(std::string_view text) {
  return parse_number<Number>(text).value_or(Number{});
}

}  // namespace penstock
