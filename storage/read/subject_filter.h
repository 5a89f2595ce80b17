// Which subjects are meant: `*` stands for one token, `>` at the end for one or more (NATS).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock {

class SubjectFilter {
 public:
  // The error says what makes the text no filter.
  [[nodiscard]] static Result<SubjectFilter> parse(std::string_view text);

  [[nodiscard]] bool matches(std::string_view subject) const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  explicit SubjectFilter(std::string_view text) : text_(text) {}
  std::string text_;
};

}  // namespace penstock
