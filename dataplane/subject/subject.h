// Subjects: dot-separated tokens that name where a message belongs, by the rules of NATS.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "base/check.h"
#include "storage/format/subject.h"

namespace penstock {

// A token made from what a sender wrote is cut at this length.
inline constexpr std::size_t kTokenBytesMax = 64;

// What stands for a token that the sender left out.
inline constexpr std::string_view kNilToken = "-";

// A subject under construction, without allocation.
class SubjectBuffer {
 public:
  void clear() { size_ = 0; }
  [[nodiscard]] std::string_view view() const { return {data_.data(), size_}; }

  // Text of ours: taken as it is.
  void append_literal(std::string_view text) {
    CHECK_LE(text.size(), data_.size() - size_);
    std::memcpy(data_.data() + size_, text.data(), text.size());
    size_ += text.size();
  }
  // Text of a sender's: becomes part of one token whatever it holds, so that nobody forges levels.
  // `.`, `*`, `>`, spaces, control characters and everything outside ASCII become `_`.
  void append_token(std::string_view text);

 private:
  std::array<char, kSubjectBytesMax> data_;
  std::size_t size_ = 0;
};

}  // namespace penstock
