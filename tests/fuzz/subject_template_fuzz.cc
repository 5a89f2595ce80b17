// A template that is accepted renders to a subject of the same shape, whatever senders put in.
#include <algorithm>

#include "dataplane/door/door.h"
#include "dataplane/subject/subject_template.h"
#include "tests/fuzz/fuzz_input.h"

using namespace penstock;

namespace {

std::ptrdiff_t dots(std::string_view text) { return std::ranges::count(text, '.'); }

}  // namespace

// The template up to the first newline, then a newline between the values of the variables.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = fuzz::text_of(fuzz::FuzzInput(data, size).rest());
  const auto field = [&rest] {
    const std::string_view taken = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(taken.size() + 1, rest.size()));
    return taken;
  };
  const std::string_view text = field();
  const auto compiled = SubjectTemplate::compile(text, subject_variables(DoorProtocol::kSyslog));
  if (!compiled) {
    CHECK(compiled.error().what.find(text) != std::string::npos);
    return 0;
  }
  SubjectValues values{};
  SubjectBuffer subject;
  compiled->render(values, subject);
  CHECK(is_valid_subject(subject.view()));
  CHECK_EQ(dots(subject.view()), dots(text));
  for (std::string_view& value : values) value = field();
  compiled->render(values, subject);
  CHECK(is_valid_subject(subject.view()));
  CHECK_EQ(dots(subject.view()), dots(text));
  return 0;
}
