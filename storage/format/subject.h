// Which subjects a message may have.
#pragma once

#include <string_view>

#include "storage/format/message.h"

namespace penstock {

[[nodiscard]] constexpr bool is_subject_character(char c) {
  return c > ' ' && c <= '~' && c != '.' && c != '*' && c != '>';
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
