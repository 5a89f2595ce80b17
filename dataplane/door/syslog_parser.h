// What a syslog message says of itself: RFC 5424, RFC 3164 and what senders make of it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace penstock {

enum class SyslogFormat : std::uint8_t {
  kNone,     // neither: no header that could be understood
  kRfc5424,  // <PRI>1 TIMESTAMP HOST APP PROCID MSGID SD [MSG]
  kRfc3164,  // <PRI>Mmm dd hh:mm:ss [HOST] TAG[pid]: MSG, also with an ISO 8601 timestamp
};

// Views into the message. An absent host or app is empty.
struct SyslogHeader {
  SyslogFormat format = SyslogFormat::kNone;
  std::uint8_t facility = 1;  // user, and
  std::uint8_t severity = 5;  // notice, where there is no priority (RFC 3164, 4.3.3)
  std::string_view host;
  std::string_view app;
  bool malformed = false;  // what is filled in is a best effort
};

// Never fails: whatever does not fit is marked malformed and filled in as far as it goes.
[[nodiscard]] SyslogHeader parse_syslog(std::string_view message);

// "kern", ..., "local7" and "emerg", ..., "debug", as syslog.conf(5) writes them.
[[nodiscard]] std::string_view facility_name(std::uint8_t facility);
[[nodiscard]] std::string_view severity_name(std::uint8_t severity);

}  // namespace penstock
