// A file of keys of any content is read or refused by line; no problem repeats what may be a
// secret.
#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "dataplane/door/pdp/key_ring.h"
#include "tests/fuzz/fuzz_input.h"

using namespace penstock;

namespace {

// Every word of a text that is taken is a name, a key or part of a comment.
void check_found(const pdp::KeyRing& ring, std::string_view text) {
  std::size_t found = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::string_view line = text.substr(at, text.find('\n', at) - at);
    at += line.size() + 1;
    line = line.substr(0, line.find('#'));
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (line.empty()) continue;
    const std::string_view name = line.substr(0, line.find_first_of(" \t\r"));
    CHECK(ring.find(name) != nullptr);
    ++found;
  }
  CHECK_EQ(ring.size(), found);
}

bool is_digit(char c) { return std::string_view("0123456789abcdefABCDEF").contains(c); }

// Whether so many hexadecimal digits in a row stand in a problem: a piece of a key.
bool has_digits(std::string_view problem) {
  constexpr std::ptrdiff_t kDigits = 16;
  return std::ranges::search_n(problem, kDigits, true, {}, is_digit).begin() != problem.end();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(fuzz::FuzzInput(data, size).rest());
  const auto ring = pdp::KeyRing::parse(text, "keys");
  if (ring) {
    check_found(*ring, text);
  } else {
    CHECK(ring.error().what.starts_with("keys:"));
    CHECK(!has_digits(ring.error().what));
  }
  return 0;
}
