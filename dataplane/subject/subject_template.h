// How a front door names the subject of a message: literal text and variables,
// `syslog.{facility}.{severity}.{host}.{app}`.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/subject/subject.h"

namespace penstock {

enum class SubjectVariable : std::uint8_t {
  kDoor,
  kPort,
  kSource,
  kFacility,
  kSeverity,
  kHost,
  kApp,
  kCount
};
inline constexpr std::size_t kSubjectVariables = static_cast<std::size_t>(SubjectVariable::kCount);

// The value of each variable; a view is empty when there is none.
using SubjectValues = std::array<std::string_view, kSubjectVariables>;

class SubjectTemplate {
 public:
  // `known`: the variables that the door has values for. The error names the unknown variable and
  // the known ones, or what makes the text no subject.
  [[nodiscard]] static Result<SubjectTemplate> compile(std::string_view text,
                                                       std::span<const SubjectVariable> known);

  void render(const SubjectValues& values, SubjectBuffer& into) const;
  [[nodiscard]] bool uses(SubjectVariable variable) const;
  // What render() makes at most.
  [[nodiscard]] std::size_t bytes_max() const { return bytes_max_; }

 private:
  struct Part {
    std::string literal;                                 // of ours, before the variable
    SubjectVariable variable = SubjectVariable::kCount;  // kCount: the last part
  };
  std::vector<Part> parts_;
  std::size_t bytes_max_ = 0;
};

[[nodiscard]] std::string_view name_of(SubjectVariable variable);

}  // namespace penstock
