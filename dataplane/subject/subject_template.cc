#include "dataplane/subject/subject_template.h"

#include <algorithm>

#include <fmt/format.h>

namespace penstock {
namespace {

constexpr std::array<std::string_view, kSubjectVariables> kNames{
    "door", "port", "source", "facility", "severity", "host", "app"};

// What a sender writes is cut at kTokenBytesMax; of the rest it is known how long they get.
constexpr std::array<std::size_t, kSubjectVariables> kBytesMax{
    kTokenBytesMax, 5, 45, 8, 7, kTokenBytesMax, kTokenBytesMax};

std::string list(std::span<const SubjectVariable> known) {
  std::string names;
  for (const SubjectVariable variable : known) {
    names += fmt::format("{}{{{}}}", names.empty() ? "" : ", ", name_of(variable));
  }
  return names;
}

}  // namespace

std::string_view name_of(SubjectVariable variable) {
  return kNames[static_cast<std::size_t>(variable)];
}

Result<SubjectTemplate> SubjectTemplate::compile(std::string_view text,
                                                 std::span<const SubjectVariable> known) {
  SubjectTemplate result;
  std::string example;  // with a plain token for each variable: must be a subject
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t open = std::min(text.find('{', at), text.size());
    Part part;
    part.literal = text.substr(at, open - at);
    example += part.literal;
    result.bytes_max_ += part.literal.size();
    at = open + 1;
    if (open < text.size()) {
      const std::size_t close = text.find('}', open);
      const std::string_view name = close == std::string_view::npos
                                        ? text.substr(open)
                                        : text.substr(open + 1, close - open - 1);
      const auto found = std::ranges::find_if(
          known, [&](SubjectVariable variable) { return name_of(variable) == name; });
      if (close == std::string_view::npos || found == known.end()) {
        return fail(Errc::kInvalidArgument,
                    fmt::format("subject template '{}': unknown variable '{}'; there are {}", text,
                                name, list(known)));
      }
      part.variable = *found;
      example += 'x';
      result.bytes_max_ += kBytesMax[static_cast<std::size_t>(part.variable)];
      at = close + 1;
    }
    result.parts_.push_back(std::move(part));
  }
  if (!is_valid_subject(example) || result.bytes_max_ > kSubjectBytesMax) {
    return fail(
        Errc::kInvalidArgument,
        fmt::format("subject template '{}': not a subject: tokens of printable ASCII between "
                    "single dots, without spaces, '*' and '>', at most {} bytes in all",
                    text, kSubjectBytesMax));
  }
  return result;
}

void SubjectTemplate::render(const SubjectValues& values, SubjectBuffer& into) const {
  into.clear();
  for (const Part& part : parts_) {
    into.append_literal(part.literal);
    if (part.variable == SubjectVariable::kCount) continue;
    const auto variable = static_cast<std::size_t>(part.variable);
    into.append_token(values[variable].substr(0, kBytesMax[variable]));
  }
}

bool SubjectTemplate::uses(SubjectVariable variable) const {
  return std::ranges::find(parts_, variable, &Part::variable) != parts_.end();
}

}  // namespace penstock
