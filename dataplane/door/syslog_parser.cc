#include "dataplane/door/syslog_parser.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <array>
#include <bit>

#include "dataplane/door/syslog_cursor.h"

namespace penstock {
namespace {

constexpr unsigned kPriorityMax = 191;

using Cursor = SyslogCursor;

// "<13>": one to three digits, no leading zero but for 0 itself.
bool take_priority(Cursor& at, SyslogHeader& header) {
  const std::string_view rest = at.rest();
  const std::size_t close = rest.substr(0, 5).find('>');
  if (rest.empty() || rest[0] != '<' || close == std::string_view::npos || close < 2) return false;
  unsigned priority = 0;
  for (std::size_t i = 1; i < close; ++i) {
    if (!is_digit(rest[i])) return false;
    priority = priority * 10 + static_cast<unsigned>(rest[i] - '0');
  }
  if (priority > kPriorityMax || (rest[1] == '0' && close > 2)) return false;
  header.facility = static_cast<std::uint8_t>(priority / 8);
  header.severity = static_cast<std::uint8_t>(priority % 8);
  at.skip(close + 1);
  return true;
}

std::string_view or_nil(std::string_view field) {
  return field == "-" ? std::string_view{} : field;
}

// STRUCTURED-DATA: "-" or elements in brackets, in which quoted values escape '"', '\' and ']'.
bool skip_structured_data(Cursor& at) {
  if (at.front() == '-') {
    at.skip(1);
    return at.empty() || at.front() == ' ';
  }
  if (at.front() != '[') return false;
  const std::string_view text = at.rest();
  bool quoted = false;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (inside) {
      if (c == '"') quoted = true;
      if (c == ']') inside = false;
    } else if (c == '[') {
      inside = true;
    } else {
      at.skip(i);
      return c == ' ';
    }
  }
  return !inside;
}

// TIMESTAMP HOST APP PROCID MSGID, a single space behind each.
constexpr std::size_t kFields = 5;

// The beginning of a text up to its first kFields spaces, looked for 16 bytes at a time: all of
// them are in the first lines of the message.
struct Fields {
  explicit Fields(std::string_view text) {
    std::size_t at = 0;
    std::size_t from = 0;
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(' ');
    for (; count < kFields && at + sizeof space <= text.size(); at += sizeof space) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
      auto found = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, space)));
      for (; found != 0 && count < kFields; found &= found - 1) {
        add(text, from, at + static_cast<unsigned>(std::countr_zero(found)));
      }
    }
#endif
    for (; count < kFields && at < text.size(); ++at) {
      if (text[at] == ' ') add(text, from, at);
    }
    rest = text.substr(from);
  }

  std::array<std::string_view, kFields> field;
  std::size_t count = 0;
  std::string_view rest;  // behind the last of them

 private:
  void add(std::string_view text, std::size_t& from, std::size_t space) {
    field[count++] = text.substr(from, space - from);
    from = space + 1;
  }
};

void parse_rfc5424(Cursor at, SyslogHeader& header) {
  header.format = SyslogFormat::kRfc5424;
  header.malformed = true;
  const Fields fields(at.rest());
  const auto& [timestamp, host, app, process, message_id] = fields.field;
  if (timestamp.empty() || host.empty()) return;
  header.host = or_nil(host);
  if (app.empty()) return;
  header.app = or_nil(app);
  if (process.empty() || message_id.empty()) return;
  Cursor behind(fields.rest);
  header.malformed = !skip_structured_data(behind) || (timestamp != "-" && !is_digit(timestamp[0]));
}

// A datagram needs no count of its octets (RFC 6587), but some senders write it: "83 <34>1 ...".
// False when it is not what follows.
bool skip_octet_count(Cursor& at) {
  Cursor probe = at;
  std::size_t count = 0;
  const std::string_view digits = probe.take_while(is_digit);
  if (digits.empty() || digits.size() > 5 || !probe.at(" <")) return true;
  for (const char digit : digits) count = count * 10 + static_cast<std::size_t>(digit - '0');
  probe.skip(1);
  at = probe;
  return count == at.rest().size();
}

// Senders end datagrams with a newline or a NUL; that is no part of a host or program's name.
std::string_view without_end(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == '\0')) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

SyslogHeader parse_syslog(std::string_view message) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  SyslogHeader header;
  Cursor at(message);
  if (at.at(kByteOrderMark)) at.skip(kByteOrderMark.size());
  const bool counted = skip_octet_count(at);
  at = Cursor(without_end(at.rest()));
  if (!take_priority(at, header)) {
    header.malformed = true;
    return header;
  }
  at.skip_blanks();
  if (at.at("1 ")) {
    at.skip(2);
    parse_rfc5424(at, header);
  } else {
    parse_rfc3164(at, header);
  }
  header.malformed |= !counted;
  return header;
}

std::string_view facility_name(std::uint8_t facility) {
  static constexpr std::array<std::string_view, 24> kNames{
      "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
      "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
      "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};
  return kNames[facility % kNames.size()];
}

std::string_view severity_name(std::uint8_t severity) {
  static constexpr std::array<std::string_view, 8> kNames{"emerg",   "alert",  "crit", "err",
                                                          "warning", "notice", "info", "debug"};
  return kNames[severity % kNames.size()];
}

}  // namespace penstock
