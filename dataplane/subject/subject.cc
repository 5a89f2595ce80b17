#include "dataplane/subject/subject.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr std::array<char, 256> kClean = [] {
  std::array<char, 256> table{};
  for (unsigned c = 0; c < table.size(); ++c) {
    const bool plain = c > ' ' && c < 0x7F && c != '.' && c != '*' && c != '>';
    table[c] = plain ? static_cast<char>(c) : '_';
  }
  return table;
}();

}  // namespace

bool is_valid_subject(std::string_view subject) {
  if (subject.empty() || subject.size() > kSubjectBytesMax) return false;
  std::size_t tokens = 1;
  std::size_t token_bytes = 0;
  for (const char c : subject) {
    if (c == '.') {
      if (token_bytes == 0) return false;
      ++tokens;
      token_bytes = 0;
      continue;
    }
    if (kClean[static_cast<unsigned char>(c)] != c) return false;
    ++token_bytes;
  }
  return token_bytes > 0 && tokens <= kSubjectTokensMax;
}

void SubjectBuffer::append_token(std::string_view text) {
  if (text.empty()) text = kNilToken;
  text = text.substr(0, kTokenBytesMax);
  CHECK_LE(text.size(), data_.size() - size_);
  std::ranges::transform(text, data_.begin() + static_cast<std::ptrdiff_t>(size_),
                         [](char c) { return kClean[static_cast<unsigned char>(c)]; });
  size_ += text.size();
}

}  // namespace penstock
