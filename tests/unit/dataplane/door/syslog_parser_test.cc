#include "dataplane/door/syslog_parser.h"

#include <ostream>
#include <string>

#include <gtest/gtest.h>

namespace penstock {
namespace {

struct Case {
  std::string_view what;
  std::string_view message;
  SyslogFormat format;
  std::string_view facility;
  std::string_view severity;
  std::string_view host;
  std::string_view app;
};

void PrintTo(const Case& row, std::ostream* out) { *out << row.what; }

void expect_parts(const Case& row, bool malformed) {
  const SyslogHeader header = parse_syslog(row.message);
  EXPECT_EQ(header.format, row.format) << row.message;
  EXPECT_EQ(facility_name(header.facility), row.facility) << row.message;
  EXPECT_EQ(severity_name(header.severity), row.severity) << row.message;
  EXPECT_EQ(header.host, row.host) << row.message;
  EXPECT_EQ(header.app, row.app) << row.message;
  EXPECT_EQ(header.malformed, malformed) << row.message;
}

class SyslogTest : public testing::TestWithParam<Case> {};
TEST_P(SyslogTest, IsUnderstood) { expect_parts(GetParam(), false); }

constexpr auto kNew = SyslogFormat::kRfc5424;
constexpr auto kOld = SyslogFormat::kRfc3164;

INSTANTIATE_TEST_SUITE_P(
    Rfc5424, SyslogTest,
    testing::Values(
        Case{"RFC 5424, 6.5, example 1",
             "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xEF\xBB\xBF'su "
             "root' "
             "failed for lonvick on /dev/pts/8",
             kNew, "auth", "crit", "mymachine.example.com", "su"},
        Case{"RFC 5424, 6.5, example 2",
             "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to "
             "make "
             "the do-nuts.",
             kNew, "local4", "notice", "192.0.2.1", "myproc"},
        Case{"RFC 5424, 6.5, example 3",
             "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
             "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"] "
             "\xEF\xBB\xBF"
             "An application event log entry...",
             kNew, "local4", "notice", "mymachine.example.com", "evntslog"},
        Case{"RFC 5424, 6.5, example 4",
             "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
             "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"]"
             "[examplePriority@32473 class=\"high\"]",
             kNew, "local4", "notice", "mymachine.example.com", "evntslog"},
        Case{"all nil", "<0>1 - - - - - -", kNew, "kern", "emerg", "", ""},
        Case{"an IPv6 host", "<13>1 - fd00::9 app - - - x", kNew, "user", "notice", "fd00::9",
             "app"},
        Case{"the highest priority", "<191>1 - h a - - - x", kNew, "local7", "debug", "h", "a"},
        Case{"structured data with quoted ends",
             R"(<13>1 - h a - - [x k="a \" b \] c \\"] message)", kNew, "user", "notice", "h", "a"},
        Case{"logger of util-linux",
             "<13>1 2024-03-05T10:11:12.131415+01:00 db7 root - - [timeQuality tzKnown=\"1\" "
             "isSynced=\"1\" syncAccuracy=\"121500\"] hello",
             kNew, "user", "notice", "db7", "root"},
        Case{"rsyslog, RSYSLOG_SyslogProtocol23Format",
             "<38>1 2024-03-05T10:11:12.131415+01:00 db7 sshd 4711 - - Accepted publickey for a",
             kNew, "auth", "info", "db7", "sshd"}));

INSTANTIATE_TEST_SUITE_P(
    Rfc3164, SyslogTest,
    testing::Values(
        Case{"RFC 3164, 5.4, example 1",
             "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8", kOld,
             "auth", "crit", "mymachine", "su"},
        Case{
            "RFC 3164, 5.4, example 3",
            "<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time to make the do-nuts.",
            kOld, "local4", "notice", "mymachine", "myproc"},
        Case{"logger --rfc3164", "<13>Mar  5 10:11:12 db7 root: hello", kOld, "user", "notice",
             "db7", "root"},
        Case{"logger --rfc3164 --id", "<13>Mar  5 10:11:12 db7 root[4711]: hello", kOld, "user",
             "notice", "db7", "root"},
        Case{"syslog(3) to a local socket", "<30>Mar  5 10:11:12 cron[99]: job", kOld, "daemon",
             "info", "", "cron"},
        Case{"rsyslog, RSYSLOG_TraditionalForwardFormat",
             "<38>Mar 15 10:11:12 db7 sshd[4711]: Accepted publickey", kOld, "auth", "info", "db7",
             "sshd"},
        Case{"rsyslog, RSYSLOG_ForwardFormat",
             "<38>2024-03-05T10:11:12.131415+01:00 db7 sshd[4711]: Accepted publickey", kOld,
             "auth", "info", "db7", "sshd"},
        Case{"syslog-ng, network()", "<45>Mar  5 10:11:12 db7 syslog-ng[1]: Log statistics", kOld,
             "syslog", "notice", "db7", "syslog-ng"},
        Case{"syslog-ng with fractions", "<45>Mar  5 10:11:12.123 db7 app: x", kOld, "syslog",
             "notice", "db7", "app"},
        Case{"Cisco IOS", "<189>237: *Mar  1 18:46:11: %SYS-5-CONFIG_I: Configured from console",
             kOld, "local7", "notice", "", "%SYS-5-CONFIG_I"},
        Case{"Cisco IOS with milliseconds",
             "<189>237: .Mar  1 18:46:11.123: %SYS-5-CONFIG_I: Configured from console", kOld,
             "local7", "notice", "", "%SYS-5-CONFIG_I"},
        Case{"Cisco IOS with both sequence numbers",
             "<189>237: 000238: *Mar  1 18:46:11.123: %SYS-5-CONFIG_I: Configured from console",
             kOld, "local7", "notice", "", "%SYS-5-CONFIG_I"},
        Case{"Cisco IOS with the time zone",
             "<189>237: *Mar  1 18:46:11.123 UTC: %SYS-5-CONFIG_I: Configured from console", kOld,
             "local7", "notice", "", "%SYS-5-CONFIG_I"},
        Case{"Cisco IOS with the year", "<189>237: Mar  1 2024 18:46:11: %SYS-5-CONFIG_I: x", kOld,
             "local7", "notice", "", "%SYS-5-CONFIG_I"},
        Case{"RFC 3164, 5.4, example 4",
             "<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All "
             "Folks!",
             kOld, "kern", "emerg", "scapegoat.dmz.example.org", "10.1.2.3"},
        Case{"FreeBSD", "<13>Mar  5 10:11:12 bsd1 root: hello", kOld, "user", "notice", "bsd1",
             "root"},
        Case{"the kernel of a BSD", "<6>Mar  5 10:11:12 bsd1 kernel: em0: link up", kOld, "kern",
             "info", "bsd1", "kernel"},
        Case{"OpenBSD with an address", "<86>Mar  5 10:11:12 192.0.2.7 sshd[7]: x", kOld,
             "authpriv", "info", "192.0.2.7", "sshd"},
        Case{"busybox, syslogd -R", "<13>Mar  5 10:11:12 router root: hello", kOld, "user",
             "notice", "router", "root"},
        Case{"busybox, logger", "<13>Mar  5 10:11:12 root: hello", kOld, "user", "notice", "",
             "root"},
        Case{"a tag without colon", "<13>Mar  5 10:11:12 h app went down", kOld, "user", "notice",
             "h", "app"},
        Case{"no tag at all", "<13>Mar  5 10:11:12 h", kOld, "user", "notice", "h", ""}));

class MalformedSyslogTest : public testing::TestWithParam<Case> {};
TEST_P(MalformedSyslogTest, IsMarkedAndFilledInAsFarAsItGoes) { expect_parts(GetParam(), true); }

constexpr auto kNone = SyslogFormat::kNone;

INSTANTIATE_TEST_SUITE_P(
    All, MalformedSyslogTest,
    testing::Values(
        Case{"nothing", "", kNone, "user", "notice", "", ""},
        Case{"RFC 3164, 5.4, example 2", "Use the BFG!", kNone, "user", "notice", "", ""},
        Case{"no priority", "Mar  5 10:11:12 h app: x", kNone, "user", "notice", "", ""},
        Case{"a priority of nothing", "<>1 - h a - - - x", kNone, "user", "notice", "", ""},
        Case{"a priority too high", "<192>1 - h a - - - x", kNone, "user", "notice", "", ""},
        Case{"a priority of four digits", "<0013>1 - h a - - - x", kNone, "user", "notice", "", ""},
        Case{"a priority with leading zero", "<013>1 - h a - - - x", kNone, "user", "notice", "",
             ""},
        Case{"a priority below zero", "<-1>1 - h a - - - x", kNone, "user", "notice", "", ""},
        Case{"an open priority", "<13", kNone, "user", "notice", "", ""},
        Case{"a priority alone", "<13>", kNone, "user", "notice", "", ""},
        Case{"a version alone", "<13>1 ", kNew, "user", "notice", "", ""},
        Case{"RFC 5424 up to the host", "<13>1 - h", kNew, "user", "notice", "", ""},
        Case{"RFC 5424 up to the program", "<13>1 - h a ", kNew, "user", "notice", "h", "a"},
        Case{"RFC 5424 without structured data", "<13>1 - h a - - x", kNew, "user", "notice", "h",
             "a"},
        Case{"a timestamp that is none", "<13>1 today h a - - - x", kNew, "user", "notice", "h",
             "a"},
        Case{"open structured data", "<13>1 - h a - - [x k=\"v\" message", kNew, "user", "notice",
             "h", "a"},
        Case{"an open quote", "<13>1 - h a - - [x k=\"v] message", kNew, "user", "notice", "h",
             "a"},
        Case{"a day of three digits", "<13>Mar 123 10:11:12 h app: x", kNone, "user", "notice", "",
             ""},
        Case{"only a tag", "<13>app[7]: x", kNone, "user", "notice", "", "app"}));

TEST(SyslogParser, ViewsPointIntoTheMessage) {
  const std::string message = "<13>1 - host app - - - x";
  const SyslogHeader header = parse_syslog(message);
  EXPECT_EQ(header.host.data(), message.data() + 8);
  EXPECT_EQ(header.app.data(), message.data() + 13);
}

TEST(SyslogParser, EveryPriorityIsItsFacilityAndSeverity) {
  for (unsigned priority = 0; priority <= 191; ++priority) {
    const SyslogHeader header = parse_syslog("<" + std::to_string(priority) + ">1 - h a - - -");
    EXPECT_EQ(header.facility, priority / 8);
    EXPECT_EQ(header.severity, priority % 8);
    EXPECT_FALSE(header.malformed);
  }
}

TEST(SyslogParser, AMessageCutOffAnywhereIsStillAnswered) {
  const std::string_view messages[] = {
      R"(<165>1 2003-10-11T22:14:15.003Z host app - ID47 [x k="v"][y z="\""] text)",
      "<189>237: *Mar  1 18:46:11.123: %SYS-5-CONFIG_I: x",
      "<38>2024-03-05T10:11:12.131415+01:00 db7 sshd[4711]: x"};
  for (const std::string_view message : messages) {
    for (std::size_t size = 0; size <= message.size(); ++size) {
      const std::string exact(message.substr(0, size));
      const SyslogHeader header = parse_syslog(exact);
      EXPECT_LE(header.host.size() + header.app.size(), size);
    }
  }
}

}  // namespace
}  // namespace penstock
