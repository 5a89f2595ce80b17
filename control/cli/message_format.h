// How `penstock read` writes a message.
#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/result.h"
#include "storage/read/log_reader.h"

namespace penstock {

// A format string in the manner of kcat's -f:
//   %s payload  %S its length  %k key  %K its length  %u subject  %t stream  %p log  %o offset
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
void write_json(const Record& record, std::string_view stream, fmt::memory_buffer& into);
void write_json(const Gap& gap, fmt::memory_buffer& into);

// "2026-11-23T10:00:00.123456789Z syslog.user.info.web1.app <14>..."
void write_text(const Record& record, fmt::memory_buffer& into);

[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace penstock
