// RFC 3164 as it is really sent: TIMESTAMP [HOST] TAG[pid]: MSG, and what network devices make of
// it, Cisco's above all.
#include <algorithm>
#include <array>

#include "dataplane/door/syslog_cursor.h"

namespace penstock {
namespace {

using Cursor = SyslogCursor;

// RFC 3164 says 32; real ones are longer.
constexpr std::size_t kTagBytesMax = 255;

constexpr std::uint32_t three(std::string_view text) {
  const auto at = [&](std::size_t i) { return std::uint32_t{static_cast<std::uint8_t>(text[i])}; };
  return at(0) << 16U | at(1) << 8U | at(2);
}

bool at_month(const Cursor& at) {
  if (at.rest().size() < 3) return false;
  switch (three(at.rest())) {
    case three("Jan"):
    case three("Feb"):
    case three("Mar"):
    case three("Apr"):
    case three("May"):
    case three("Jun"):
    case three("Jul"):
    case three("Aug"):
    case three("Sep"):
    case three("Oct"):
    case three("Nov"):
    case three("Dec"): return true;
    default: return false;
  }
}

// Cisco's tag: "%SYS-5-CONFIG_I".
bool at_cisco_tag(const Cursor& at) {
  return at.rest().size() > 1 && at.front() == '%' && is_upper(at.rest()[1]);
}

// "hh:mm:ss" at the front, with fractions of a second behind it.
bool take_time(Cursor& at) {
  const std::string_view text = at.rest();
  if (text.size() < 8 || text[2] != ':' || text[5] != ':') return false;
  for (const std::size_t digit : {0, 1, 3, 4, 6, 7}) {
    if (!is_digit(text[digit])) return false;
  }
  at.skip(8);
  at.take_while([](char c) { return is_digit(c) || c == '.' || c == ','; });
  return true;
}

// "2023 " at the front.
bool take_year(Cursor& at) {
  const std::string_view text = at.rest();
  if (text.size() < 5 || text[4] != ' ' || !std::ranges::all_of(text.substr(0, 4), is_digit)) {
    return false;
  }
  at.skip(5);
  return true;
}

// Behind the time: "UTC: %SYS-...", "CST 1987 mymachine", "MSK asa1 : %ASA-...", "2023 aruba1". The
// colon is not taken. Without any of these a word is a host or a tag.
void skip_zone_and_year(Cursor& at, bool device) {
  Cursor probe = at;
  probe.skip_blanks();
  if (!is_upper(probe.front()) && !is_digit(probe.front())) return;
  if (take_year(probe)) {
    at = probe;
    return;
  }
  if (probe.take_while(is_upper).empty()) return;
  if (probe.at(": %") || (device && probe.front() == ':')) at = probe;
  if (device && (probe.front() == '-' || probe.front() == '+')) {
    probe.token();
    at = probe;
  }
  Cursor behind = probe;
  behind.skip_blanks();
  if (take_year(behind)) at = behind;
  behind.token();
  if (behind.at(" : %")) at = probe;
}

// "Oct 11 22:14:15", "*Mar  1 18:46:11.123" (Cisco), "Oct 11 2003 22:14:15", "2003 Oct 11 22:14:15"
// (NX-OS). `device`: what stands before it is a network device's.
bool take_bsd_timestamp(Cursor& at, bool device) {
  Cursor probe = at;
  if (probe.front() == '*' || probe.front() == '.') {
    probe.skip(1);
    device = true;
  }
  if (take_year(probe)) device = true;
  if (!at_month(probe)) return false;
  probe.skip(3);
  probe.skip_blanks();
  const std::string_view day = probe.take_while(is_digit);
  if (day.empty() || day.size() > 2 || probe.front() != ' ') return false;
  probe.skip_blanks();
  take_year(probe);
  if (!take_time(probe)) return false;
  skip_zone_and_year(probe, device);
  at = probe;
  return true;
}

// "2003-10-11T22:14:15.003Z", as rsyslog forwards by default, or with a space for the T.
bool take_iso_timestamp(Cursor& at) {
  const std::string_view text = at.rest();
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || !is_digit(text[0])) return false;
  Cursor probe(text.substr(11));
  if ((text[10] != 'T' && text[10] != ' ') || !take_time(probe)) return false;
  // The zone: "Z", "+01:00".
  probe.take_while([](char c) { return c == 'Z' || c == '+' || c == '-' || is_digit(c); });
  if (probe.front() == ':' && probe.rest().size() > 1 && is_digit(probe.rest()[1])) probe.token();
  at = probe;
  return true;
}

// Cisco's time since the start, "00:20:10: %SYS-...", "1w2d: %SYS-...".
bool take_uptime(Cursor& at) {
  Cursor probe = at;
  if (!take_time(probe)) {
    const std::string_view text = probe.take_while(
        [](char c) { return is_digit(c) || c == 'y' || c == 'w' || c == 'd' || c == 'h'; });
    if (text.size() < 2 || !is_digit(text[0])) return false;
  }
  if (!probe.at(": %")) return false;
  at = probe;
  return true;
}

bool take_timestamp(Cursor& at, bool device) {
  return take_bsd_timestamp(at, device) || take_iso_timestamp(at) || take_uptime(at);
}

// One thing that devices write before the timestamp: ":", a sequence number "47:", the origin
// "R1:", the card "RP/0/RP0/CPU0:" of IOS XR and the origin before it. False: it is none of them.
bool take_lead(Cursor& at, std::string_view& origin) {
  Cursor probe = at;
  const std::string_view part = probe.take_while([](char c) { return c != ' ' && c != '\t'; });
  const std::size_t colon = part.starts_with(':') ? 0 : part.find_last_of(':');
  const bool card = part.find('/') < colon;
  if (colon == std::string_view::npos) {
    probe.skip_blanks();
    if (part.empty() || !origin.empty() || !probe.at("RP/")) return false;
    origin = part;
  } else if (colon == 0 || card) {
    at.skip(colon + 1);
    return true;
  } else if (colon + 1 != part.size() || part.find('[') < colon) {
    return false;
  } else if (!std::ranges::all_of(part.substr(0, colon), is_digit)) {
    if (!origin.empty()) return false;
    origin = part.substr(0, colon);
  }
  at = probe;
  return true;
}

// A timestamp, or Cisco's tag where devices leave the timestamp out, and what may stand before it.
// False: `at` has not moved but past sequence numbers.
bool take_beginning(Cursor& at, std::string_view& origin) {
  if (take_timestamp(at, false)) return true;
  constexpr unsigned kLeadsMax = 4;
  Cursor probe = at;
  for (unsigned leads = 0; leads <= kLeadsMax; ++leads) {
    probe.skip_blanks();
    if (take_timestamp(probe, leads > 0) || at_cisco_tag(probe)) {
      at = probe;
      return true;
    }
    if (!take_lead(probe, origin)) break;
    if (origin.empty()) at = probe;
  }
  origin = {};
  return false;
}

// "fd00::9", "fe80::1%eth0": what would look like a tag.
bool is_ipv6(std::string_view text) {
  const std::string_view address = text.substr(0, text.find('%'));
  const auto is_part = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
  };
  return std::ranges::count(address, ':') >= 2 && std::ranges::all_of(address, is_part) &&
         (!address.ends_with(':') || address.ends_with("::"));
}

// "Message forwarded from db7: sshd[4711]: ..." (AIX).
bool take_forwarded(Cursor& at, std::string_view& host) {
  constexpr std::string_view kForwarded = "Message forwarded from ";
  if (!at.at(kForwarded)) return false;
  at.skip(kForwarded.size());
  host = at.token();
  if (host.ends_with(':')) host.remove_suffix(1);
  return true;
}

bool at_repetition(const Cursor& at) { return at.at("last message repeated "); }

// What of a word comes before the first ':' or '['.
std::string_view head_of(std::string_view word) {
  return Cursor(word).take_while([](char c) { return c != ':' && c != '['; });
}

// The host in a word that has a ':' or '[': then it may be the tag, and no host is there.
std::string_view host_in(std::string_view word, const Cursor& behind) {
  if (word.starts_with('[') && word.ends_with(']')) return word.substr(1, word.size() - 2);
  if (is_ipv6(word)) return word;
  if (word.ends_with(':') && word.find('[') == std::string_view::npos && at_cisco_tag(behind)) {
    return word.substr(0, word.size() - 1);  // "asa1: %ASA-6-302013: ..."
  }
  const std::size_t head = head_of(word).size();
  return head > 0 && head <= kTagBytesMax ? std::string_view{} : word;
}

// The host, if there is one in front of the tag.
void take_host(Cursor& at, std::string_view& host) {
  if (take_forwarded(at, host) || at_repetition(at) || at_cisco_tag(at)) return;
  Cursor behind = at;
  const std::string_view word = behind.token();
  const Cursor end = behind;
  behind.skip_blanks();
  host = head_of(word).size() == word.size() ? word : host_in(word, behind);
  if (host.empty()) return;
  at = end;
  // " : %ASA-..." or, of a relay, "82: Sep  6 14:12:56.872: %SYS-...".
  std::string_view origin;
  if ((behind.front() == ':' || is_digit(behind.front())) && take_beginning(behind, origin)) {
    if (behind.front() == ':') behind.skip(1);
    behind.skip_blanks();
    if (at_cisco_tag(behind)) at = behind;
  }
}

// Ends at ':', '[', a space or a tab.
std::string_view tag_of(Cursor at) {
  if (at_repetition(at)) return {};
  const std::string_view tag = head_of(at.token());
  return tag.size() <= kTagBytesMax ? tag : std::string_view{};
}

// Without timestamp only what looks like nothing else is a tag.
std::string_view undated_tag_of(const Cursor& at) {
  const std::string_view tag = tag_of(at);
  const bool ends = tag.size() < at.rest().size() &&
                    (at.rest()[tag.size()] == ':' || at.rest()[tag.size()] == '[');
  const bool plain =
      tag.find_first_of("\"{=") == std::string_view::npos && !std::ranges::all_of(tag, is_digit);
  return ends && plain ? tag : std::string_view{};
}

}  // namespace

void parse_rfc3164(SyslogCursor at, SyslogHeader& header) {
  const bool begun = take_beginning(at, header.host);
  header.format = begun ? SyslogFormat::kRfc3164 : SyslogFormat::kNone;
  header.malformed = !begun;
  at.skip_blanks();
  if (at.front() == ':' && !at.at("::")) at.skip(1);  // two begin an address
  at.skip_blanks();
  if (!begun) {
    header.app = undated_tag_of(at);
    return;
  }
  if (header.host.empty()) take_host(at, header.host);
  at.skip_blanks();
  header.app = tag_of(at);
}

}  // namespace penstock
