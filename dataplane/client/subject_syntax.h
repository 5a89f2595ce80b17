// Which subjects a message may have: what the node will say of it too, without asking.
#pragma once

#include <string_view>

#include "storage/format/message.h"

namespace penstock::client {

// Non-empty tokens of printable ASCII without space, `*` and `>`, within kSubjectBytesMax and
// kSubjectTokensMax.
[[nodiscard]] constexpr bool is_valid_subject(std::string_view subject) {
  if (subject.empty() || subject.size() > kSubjectBytesMax) return false;
  std::size_t tokens = 1;
  char before = '.';
  for (const char c : subject) {
    if (c == '.') {
      if (before == '.') return false;
      ++tokens;
    } else if (c <= ' ' || c > '~' || c == '*' || c == '>') {
      return false;
    }
    before = c;
  }
  return before != '.' && tokens <= kSubjectTokensMax;
}

}  // namespace penstock::client
