// How `penstock read` writes a message.
#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/result.h"
#include "storage/read/log_reader.h"

namespace penstock {

// A format string in the manner of kcat's -f:
//   %s payload  %S its length  %R its length as 4 bytes, big endian
//   %k key  %K its length  %h headers: NAME=VALUE,NAME=VALUE
//   %u subject  %t stream  %p log  %o offset
//   %P producer's session, 16 hexadecimal digits  %Q sequence in it; nothing where there is none
//   %T received, milliseconds since 1970  %N nanoseconds  %% percent  \n \r \t \0 \\ \xHH
class MessageFormat {
 public:
  [[nodiscard]] static Result<MessageFormat> parse(std::string_view text);

  void write(const Record& record, std::string_view stream, fmt::memory_buffer& into) const;

 private:
  struct Part {
    std::string literal;
    char field = 0;  // 0: only the literal
  };
  std::vector<Part> parts_;
};

// One JSON object on one line. What is not UTF-8 goes under NAME_base64.
void write_json(const Record& record, std::string_view stream, std::string_view volume,
                fmt::memory_buffer& into);
void write_json(const Gap& gap, std::string_view volume, fmt::memory_buffer& into);

// "2026-11-23T10:00:00.123456789Z syslog.user.info.web1.app <14>..."
// `for_terminal`: control characters as \xHH, so that no message moves the cursor or worse.
void write_text(const Record& record, bool for_terminal, fmt::memory_buffer& into);

[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace penstock
