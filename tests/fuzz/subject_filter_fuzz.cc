// Filters match as the rules of NATS say, by a second reading of those rules.
#include <string_view>
#include <vector>

#include "base/check.h"
#include "storage/format/message.h"
#include "storage/read/subject_filter.h"
#include "tests/fuzz/fuzz_input.h"

using namespace penstock;

namespace {

using Tokens = std::vector<std::string_view>;

Tokens tokens_of(std::string_view text) {
  Tokens tokens{{}};
  for (std::size_t from = 0, at = 0; at < text.size(); ++at) {
    if (text[at] == '.') {
      from = at + 1;
      tokens.emplace_back();
    } else {
      tokens.back() = text.substr(from, at + 1 - from);
    }
  }
  return tokens;
}

bool naive_match(const Tokens& filter, const Tokens& subject) {
  const bool open = filter.back() == ">";
  const std::size_t fixed = filter.size() - (open ? 1 : 0);
  if (open ? subject.size() <= fixed : subject.size() != fixed) return false;
  for (std::size_t i = 0; i < fixed; ++i) {
    if (filter[i] != "*" && filter[i] != subject[i]) return false;
  }
  return true;
}

}  // namespace

// The filter up to the first newline, then a subject.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text_of(fuzz::FuzzInput(data, size).rest());
  const std::string_view text = input.substr(0, input.find('\n'));
  const std::string_view subject = input.substr(std::min(text.size() + 1, input.size()));
  const auto filter = SubjectFilter::parse(text);
  if (!filter) {
    CHECK(filter.error().what.find(text) != std::string::npos);
    return 0;
  }
  CHECK_EQ(filter->text(), text);
  CHECK_LE(text.size(), kSubjectBytesMax);
  const Tokens tokens = tokens_of(text);
  CHECK_LE(tokens.size(), kSubjectTokensMax);
  CHECK_EQ(filter->matches(subject), naive_match(tokens, tokens_of(subject)));
  // Wildcards match themselves as tokens, and plain text matches itself.
  CHECK(filter->matches(text));
  return 0;
}
