#include "dataplane/door/syslog_parser.h"

#include <algorithm>
#include <array>

namespace penstock {
namespace {

constexpr unsigned kPriorityMax = 191;
constexpr std::size_t kTagBytesMax = 64;  // RFC 3164 says 32; real ones are longer

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads a message from front to back.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] char front() const { return rest_.empty() ? '\0' : rest_.front(); }
  void skip(std::size_t n) { rest_.remove_prefix(std::min(n, rest_.size())); }
  void skip_spaces() {
    while (front() == ' ') skip(1);
  }
  // Up to the next space or the end; the space is not taken.
  std::string_view token() {
    const std::string_view token = rest_.substr(0, rest_.find(' '));
    skip(token.size());
    return token;
  }
  // A token and the single space behind it; false when it is empty or no space follows.
  bool field(std::string_view& into) {
    into = token();
    if (into.empty() || front() != ' ') return false;
    skip(1);
    return true;
  }

 private:
  std::string_view rest_;
};

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

void parse_rfc5424(Cursor at, SyslogHeader& header) {
  header.format = SyslogFormat::kRfc5424;
  std::string_view timestamp;
  std::string_view host;
  std::string_view app;
  std::string_view process;
  std::string_view message_id;
  header.malformed = true;
  if (!at.field(timestamp) || !at.field(host)) return;
  header.host = or_nil(host);
  if (!at.field(app)) return;
  header.app = or_nil(app);
  if (!at.field(process) || !at.field(message_id)) return;
  header.malformed = !skip_structured_data(at) || (timestamp != "-" && !is_digit(timestamp[0]));
}

bool is_month(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths{
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return std::ranges::find(kMonths, text) != kMonths.end();
}

// "hh:mm:ss" at the front, with fractions of a second behind it.
bool take_time(Cursor& at) {
  const std::string_view text = at.rest();
  if (text.size() < 8 || !is_digit(text[0]) || !is_digit(text[1]) || text[2] != ':' ||
      !is_digit(text[3]) || !is_digit(text[4]) || text[5] != ':' || !is_digit(text[6]) ||
      !is_digit(text[7])) {
    return false;
  }
  at.skip(8);
  while (is_digit(at.front()) || at.front() == '.' || at.front() == ',') at.skip(1);
  return true;
}

// " UTC: %SYS-5-CONFIG_I: ..." (Cisco): the zone, but for the colon. Without the percent sign it is
// a tag.
void skip_zone(Cursor& at) {
  Cursor probe = at;
  probe.skip_spaces();
  while (probe.front() >= 'A' && probe.front() <= 'Z') probe.skip(1);
  if (probe.rest().starts_with(": %")) at = probe;
}

// "Oct 11 22:14:15", "*Mar  1 18:46:11.123: " (Cisco), "Oct 11 2003 22:14:15".
bool take_bsd_timestamp(Cursor& at) {
  Cursor probe = at;
  if (probe.front() == '*' || probe.front() == '.') probe.skip(1);
  if (!is_month(probe.rest().substr(0, 3))) return false;
  probe.skip(3);
  probe.skip_spaces();
  const std::string_view day = probe.token();
  if (day.empty() || day.size() > 2 || !std::ranges::all_of(day, is_digit)) return false;
  probe.skip_spaces();
  if (probe.rest().size() > 4 && std::ranges::all_of(probe.rest().substr(0, 4), is_digit) &&
      probe.rest()[4] == ' ') {
    probe.skip(5);
  }
  if (!take_time(probe)) return false;
  skip_zone(probe);
  if (probe.front() == ':') probe.skip(1);
  at = probe;
  return true;
}

// "2003-10-11T22:14:15.003Z", as rsyslog forwards by default.
bool take_iso_timestamp(Cursor& at) {
  const std::string_view text = at.rest();
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
      !is_digit(text[0]) || text[13] != ':') {
    return false;
  }
  at.token();
  return true;
}

// The tag ends at ':', '[' or a space; what has neither ':' nor '[' behind it is a host or plain
// text.
std::string_view tag_of(std::string_view token, bool& is_tag) {
  const std::size_t end = token.find_first_of(":[");
  is_tag = end != std::string_view::npos && end > 0 && end <= kTagBytesMax;
  return token.substr(0, end);
}

void parse_rfc3164(Cursor at, SyslogHeader& header) {
  // Sequence numbers of Cisco's, of the sender and of the message: "<189>237: 000238: *Mar  1 ...".
  for (unsigned numbers = 0; numbers < 2; ++numbers) {
    Cursor probe = at;
    while (is_digit(probe.front())) probe.skip(1);
    if (probe.rest().size() == at.rest().size() || !probe.rest().starts_with(": ")) break;
    probe.skip(2);
    at = probe;
  }
  const bool dated = take_bsd_timestamp(at) || take_iso_timestamp(at);
  at.skip_spaces();
  bool is_tag = false;
  std::string_view token = at.token();
  std::string_view app = tag_of(token, is_tag);
  if (dated && !is_tag) {
    // A host that is an IPv6 address would look like a tag; only what cannot be one gets here.
    header.host = token;
    at.skip_spaces();
    token = at.token();
    app = tag_of(token, is_tag);
    if (!is_tag && token.size() > kTagBytesMax) app = {};
  }
  if (dated || is_tag) header.app = app;
  header.format = dated ? SyslogFormat::kRfc3164 : SyslogFormat::kNone;
  header.malformed = !dated;
}

}  // namespace

SyslogHeader parse_syslog(std::string_view message) {
  SyslogHeader header;
  Cursor at(message);
  if (!take_priority(at, header)) {
    header.malformed = true;
    return header;
  }
  if (at.rest().starts_with("1 ")) {
    at.skip(2);
    parse_rfc5424(at, header);
  } else {
    parse_rfc3164(at, header);
  }
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
