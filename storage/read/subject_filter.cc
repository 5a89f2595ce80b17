#include "storage/read/subject_filter.h"

#include <fmt/format.h>

#include "storage/format/subject.h"

namespace penstock {
namespace {

bool is_plain(std::string_view token) {
  for (const char c : token) {
    if (c <= ' ' || c > '~' || c == '*' || c == '>') return false;
  }
  return true;
}

}  // namespace

Result<SubjectFilter> SubjectFilter::parse(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return fail(Errc::kInvalidArgument, fmt::format("subject filter '{}': {}", text, why));
  };
  if (text.empty() || text.size() > kSubjectBytesMax) {
    return refuse(fmt::format("must have 1 to {} bytes", kSubjectBytesMax));
  }
  std::string_view rest = text;
  bool more = true;
  for (std::size_t tokens = 0; more; ++tokens) {
    if (tokens == kSubjectTokensMax) {
      return refuse(fmt::format("has more than {} tokens", kSubjectTokensMax));
    }
    const std::string_view token = take_token(rest, more);
    if (token.empty()) return refuse("has an empty token");
    if (token == ">" && more) return refuse("'>' stands at the end only");
    if (token != ">" && token != "*" && !is_plain(token)) {
      return refuse(
          fmt::format("token '{}' is neither '*', '>' nor printable ASCII without both", token));
    }
  }
  return SubjectFilter(text);
}

bool SubjectFilter::matches(std::string_view subject) const {
  std::string_view filter = text_;
  bool more_filter = true;
  bool more_subject = true;
  while (more_filter && more_subject) {
    const std::string_view wanted = take_token(filter, more_filter);
    if (wanted == ">") return true;
    const std::string_view token = take_token(subject, more_subject);
    if (wanted != "*" && wanted != token) return false;
  }
  return more_filter == more_subject;
}

}  // namespace penstock
