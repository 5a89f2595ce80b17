#include "dataplane/subject/subject.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr std::array<char, 256> kClean = [] {
  std::array<char, 256> table{};
  for (unsigned c = 0; c < table.size(); ++c) {
    table[c] = is_subject_character(static_cast<char>(c)) ? static_cast<char>(c) : '_';
  }
  return table;
}();

}  // namespace

void SubjectBuffer::append_token(std::string_view text) {
  if (text.empty()) text = kNilToken;
  text = text.substr(0, kTokenBytesMax);
  CHECK_LE(text.size(), data_.size() - size_);
  std::ranges::transform(text, data_.begin() + static_cast<std::ptrdiff_t>(size_),
                         [](char c) { return kClean[static_cast<unsigned char>(c)]; });
  size_ += text.size();
}

}  // namespace penstock
