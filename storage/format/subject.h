// Which subjects a message may have.
#pragma once

#include <string_view>

#include "storage/format/message.h"

namespace penstock {

[[nodiscard]] constexpr bool is_subject_character(char c) {
  return c > ' ' && c <= '~' && c != '.' && c != '*' && c != '>';
}

// Takes the first token off the front of `rest`; `more` tells whether a dot followed it.
constexpr std::string_view take_token(std::string_view& rest, bool& more) {
  const std::size_t dot = rest.find('.');
  const std::string_view token = rest.substr(0, dot);
  more = dot != std::string_view::npos;
  rest = more ? rest.substr(dot + 1) : std::string_view{};
  return token;
}

// Non-empty tokens of printable ASCII without space, `*` and `>`, dots between them, within
// kSubjectBytesMax and kSubjectTokensMax.
[[nodiscard]] constexpr bool is_valid_subject(std::string_view subject) {
  if (subject.empty() || subject.size() > kSubjectBytesMax) return false;
  std::size_t tokens = 1;
  char before = '.';
  for (const char c : subject) {
    if (c == '.') {
      if (before == '.') return false;
      ++tokens;
    } else if (!is_subject_character(c)) {
      return false;
    }
    before = c;
  }
  return before != '.' && tokens <= kSubjectTokensMax;
}

}  // namespace penstock
