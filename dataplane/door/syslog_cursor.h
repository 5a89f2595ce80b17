// Reads a syslog message from front to back. Of syslog_parser.cc and syslog_rfc3164.cc alone.
#pragma once

#include <algorithm>
#include <string_view>

#include "dataplane/door/syslog_parser.h"

namespace penstock {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

class SyslogCursor {
 public:
  explicit SyslogCursor(std::string_view text) : rest_(text) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool at(std::string_view text) const {
    return front() == text[0] && rest_.starts_with(text);
  }
  [[nodiscard]] char front() const { return rest_.empty() ? '\0' : rest_.front(); }
  void skip(std::size_t n) { rest_.remove_prefix(std::min(n, rest_.size())); }
  void skip_blanks() {
    while (front() == ' ' || front() == '\t') skip(1);
  }
  // The longest beginning of such characters.
  template <class Is>
  std::string_view take_while(Is is) {
    std::size_t size = 0;
    while (size < rest_.size() && is(rest_[size])) ++size;
    const std::string_view taken = rest_.substr(0, size);
    skip(size);
    return taken;
  }
  // Up to the next space or tab or the end; it is not taken.
  std::string_view token() {
    std::string_view taken = rest_.substr(0, rest_.find(' '));
    taken = taken.substr(0, taken.find('\t'));
    skip(taken.size());
    return taken;
  }

 private:
  std::string_view rest_;
};

// What follows the priority where it is not RFC 5424.
void parse_rfc3164(SyslogCursor at, SyslogHeader& header);

}  // namespace penstock
