// What devices and programs really send where RFC 3164 or RFC 5424 is expected: who sent it and
// which program comes out right.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "dataplane/door/syslog_parser.h"

namespace penstock {
namespace {

struct Sample {
  std::string_view host;
  std::string_view app;
  std::string_view message;
};

constexpr std::string_view kConfigured = "%SYS-5-CONFIG_I";
constexpr std::string_view kBuilt = "%ASA-6-302013";

constexpr Sample kCiscoIos[] = {
    {"",         kConfigured, "<189>47: *Mar  1 18:46:11.250: %SYS-5-CONFIG_I: x"                 },
    {"",         kConfigured, "<189>*Mar  1 18:46:11.250: %SYS-5-CONFIG_I: x"                     },
    {"",         kConfigured, "<189>83: *Feb 28 00:20:10: %SYS-5-CONFIG_I: x"                     },
    {"",         kConfigured, "<189>86: *Feb 28 2010 00:20:10: %SYS-5-CONFIG_I: x"                },
    {"",         kConfigured, "<189>92: *Feb 28 00:20:10 UTC: %SYS-5-CONFIG_I: x"                 },
    {"",         kConfigured, "<189>94: .Feb 28 2010 00:20:10.663 CEST: %SYS-5-CONFIG_I: x"       },
    {"",         kConfigured, "<189>82: 00:20:10: %SYS-5-CONFIG_I: x"                             },
    {"",         kConfigured, "<189>82: 1w2d: %SYS-5-CONFIG_I: x"                                 },
    {"",         kConfigured, "<189>95: 000096: *Feb 28 00:20:10.663: %SYS-5-CONFIG_I: x"         },
    {"",         kConfigured, "<189>: *Feb 28 00:20:10.663: %SYS-5-CONFIG_I: x"                   },
    {"",         kConfigured, "<189>90: %SYS-5-CONFIG_I: x"                                       },
    {"",         kConfigured, "<189>%SYS-5-CONFIG_I: x"                                           },
    {"R1",       kConfigured, "<189>29: R1: *Apr 29 13:58:46.411: %SYS-5-CONFIG_I: x"             },
    {"R1",       kConfigured, "<189>29: R1: 000030: *Apr 29 13:58:46.411 UTC: %SYS-5-CONFIG_I: x" },
    {"10.0.0.1", kConfigured, "<189>29: 10.0.0.1: *Apr 29 13:58:46.411: %SYS-5-CONFIG_I: x"       },
    {"fd00::9",  kConfigured, "<189>29: fd00::9: *Apr 29 13:58:46.411: %SYS-5-CONFIG_I: x"        },
    {"R1",       kConfigured, "<189>R1: *Apr 29 13:58:46.411: %SYS-5-CONFIG_I: x"                 },
    {"R1",       kConfigured, "<189>29: R1: %SYS-5-CONFIG_I: x"                                   },
    {"R1",       kConfigured, "<189>Sep  6 09:13:00 R1 82: Sep  6 14:12:56.87: %SYS-5-CONFIG_I"   },
    {"c1",       kConfigured, "<189>Jul 10 16:07:14 c1 636: .Jul 10 15:58:56 EDT: %SYS-5-CONFIG_I"},
    {"R1",       kConfigured, "<189>Sep  6 09:25:12 R1 89: %SYS-5-CONFIG_I"                       },
    {"",         "config",    "<189>12: RP/0/RP0/CPU0:Sep 15 10:11:12.123 UTC: config[65]: %MGBL" },
    {"xr1",      "ifmgr",     "<189>12: xr1 RP/0/RSP0/CPU0:Sep 15 10:11:12.1 UTC: ifmgr[1]: %PKT" },
};

constexpr Sample kCiscoOther[] = {
    {"",         kBuilt,         "<166>%ASA-6-302013: Built"                                  },
    {"",         "%ASA-vpn-6-1", "<166>:%ASA-vpn-6-1: Built"                                  },
    {"",         kBuilt,         "<166>Sep 15 2023 10:11:12: %ASA-6-302013: Built"            },
    {"asa1",     kBuilt,         "<166>Sep 15 2023 10:11:12 asa1 : %ASA-6-302013: Built"      },
    {"asa1",     kBuilt,         "<166>Sep 15 2023 10:11:12 asa1: %ASA-6-302013: Built"       },
    {"10.0.0.1", kBuilt,         "<166>Sep 15 2023 10:11:12 10.0.0.1 : %ASA-6-302013: Built"  },
    {"fd00::9",  kBuilt,         "<166>Sep 15 2023 10:11:12 fd00::9 : %ASA-6-302013: Built"   },
    {"asa1",     kBuilt,         "<166>Sep 15 10:11:12 asa1 %ASA-6-302013: Built"             },
    {"asa1",     kBuilt,         "<166>Sep 15 2023 10:11:12 MSK asa1 : %ASA-6-302013: Built"  },
    {"",         kBuilt,         "<166>:Sep 15 10:11:12 EST: %ASA-6-302013: Built"            },
    {"asa1",     kBuilt,         "<166>2023-09-15T10:11:12Z asa1 : %ASA-6-302013: Built"      },
    {"",         kBuilt,         "<166>2023-09-15T10:11:12Z: %ASA-6-302013: Built"            },
    {"fw1",      "CiscoASA",     "<166>Oct 10 2018 12:34:56 fw1 CiscoASA[9]: %ASA-6-302013: x"},
    {"",         "%VSHD-5-X",    "<189>: 2023 Sep 15 10:11:12 UTC: %VSHD-5-X: x"              },
    {"",         kConfigured,    "<189>: 2023 Sep  5 10:11:12.123 CET: %SYS-5-CONFIG_I: x"    },
    {"n9k",      kConfigured,    "<189>n9k: 2023 Sep 15 10:11:12 UTC: %SYS-5-CONFIG_I: x"     },
};

constexpr Sample kOthers[] = {
    {"db7", "sshd", "<13> Mar  5 10:11:12 db7 sshd[1]: a space behind the priority"},
    {"db7", "sshd", "<13> 1 - db7 sshd - - - the same"},
    {"win1", "MSWinEventLog", "<13>Mar  5 10:11:12 win1 MSWinEventLog\t1\tSecurity\t99"},
    {"fd00::9", "sshd", "<13>Mar  5 10:11:12 fd00::9 sshd[1]: x"},
    {"fe80::1%eth0", "sshd", "<13>Mar  5 10:11:12 fe80::1%eth0 sshd: x"},
    {"::1", "sshd", "<13>Mar  5 10:11:12 ::1 sshd: x"},
    {"fd00::9", "sshd", "<13>Mar  5 10:11:12 [fd00::9] sshd: x"},
    {"fd00::9", "sshd", "<13>2024-03-05T10:11:12+01:00 fd00::9 sshd: x"},
    {"h", "a-tag-longer-than-the-32-bytes-of-the-rfc",
     "<13>Mar  5 10:11:12 h a-tag-longer-than-the-32-bytes-of-the-rfc[1]: x"},
    {"h", "su(pam_unix)", "<13>Mar  5 10:11:12 h su(pam_unix)[7]: x"},
    {"h", "postfix/smtpd", "<13>Mar  5 10:11:12 h postfix/smtpd[7]: x"},
    {"h", "foo", "<13>Mar  5 10:11:12 h foo::bar: x"},
    {"db7", "sshd", "<13>Mar  5 10:11:12 Message forwarded from db7: sshd[4711]: x"},
    {"db7", "", "<13>Mar  5 10:11:12 db7 last message repeated 3 times"},
    {"", "", "<13>Mar  5 10:11:12 last message repeated 3 times"},
    {"db7", "sshd", "<38>2024-03-05T10:11:12.1314+01:00 db7 sshd[7]: x"},
    {"db7", "sshd", "<38>2024-03-05T10:11:12.131Z db7 sshd: x"},
    {"db7", "sshd", "<38>2024-03-05 10:11:12 db7 sshd: x"},
    {"db7", "sshd", "<38>2024-03-05 10:11:12,123 db7 sshd: x"},
    {"db7", "sshd", "<38>Mar  5 2024 10:11:12 db7 sshd: x"},
    {"aruba7", "authmgr", "<141>May  4 10:23:37 2023 aruba7 authmgr[3727]: <199802> x"},
    {"mymachine", "myproc", "<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: x"},
    {"MikroTik", "dhcp,info", "<30>Mar  5 10:11:12 MikroTik dhcp,info x"},
    {"", "cron", "<30>Mar  5 10:11:12 cron[99]: as syslog(3) writes to its socket"},
    {"h", "app", "\xEF\xBB\xBF<13>Mar  5 10:11:12 h app: x"},
    {"h", "app", "<13>Mar  5 10:11:12 h app: \xEF\xBB\xBFx"},
    {"h", "app", "29 <13>Mar  5 10:11:12 h app: 01"},
    {"h", "app", "21 <13>1 - h app - - - x"},
    {"h", "app", "<13>Mar  5 10:11:12 h app\n"},
    {"h", "app", std::string_view("<13>Mar  5 10:11:12 h app\n\0", 27)},
    {"h", "app", std::string_view("<13>Mar  5 10:11:12 h app\0", 26)},
    {"h", "app", "<13>1 - h app - - -\r\n"},
};

// Kept as they are, marked, and filled in as far as it went.
constexpr Sample kMalformed[] = {
    {"h", "app", "30 <13>Mar  5 10:11:12 h app: 01"                              },
    {"h", "app", "99999 <13>1 - h app - - - x"                                   },
    {"",  "",    "<189>date=2023-09-15 time=10:11:12 devname=\"FGT\" devid=\"x\""},
    {"",  "",    "<14>{\"level\": \"info\"}"                                     },
    {"",  "app", "<14>app: no timestamp"                                         },
    {"",  "",    "<14>7: 8: 9: 10: 11: 12: x"                                    },
    {"",  "",    "<14>"                                                          },
    {"",  "",    "\xEF\xBB\xBF"                                                  },
    {"",  "",    "12 "                                                           },
};

void expect_each(std::span<const Sample> samples, bool malformed) {
  for (const Sample& sample : samples) {
    const SyslogHeader header = parse_syslog(sample.message);
    EXPECT_EQ(header.host, sample.host) << sample.message;
    EXPECT_EQ(header.app, sample.app) << sample.message;
    EXPECT_EQ(header.malformed, malformed) << sample.message;
  }
}

TEST(SyslogDialect, CiscoIos) { expect_each(kCiscoIos, false); }
TEST(SyslogDialect, CiscoFirewallsAndSwitches) { expect_each(kCiscoOther, false); }
TEST(SyslogDialect, OtherSenders) { expect_each(kOthers, false); }
TEST(SyslogDialect, WhatIsNotUnderstoodIsMarked) { expect_each(kMalformed, true); }

TEST(SyslogDialect, CutOffAnywhereItIsStillAnswered) {
  for (const std::span<const Sample> samples :
       {std::span<const Sample>(kCiscoIos), std::span<const Sample>(kCiscoOther),
        std::span<const Sample>(kOthers), std::span<const Sample>(kMalformed)}) {
    for (const Sample& sample : samples) {
      for (std::size_t size = 0; size <= sample.message.size(); ++size) {
        const std::string exact(sample.message.substr(0, size));
        const SyslogHeader header = parse_syslog(exact);
        EXPECT_LE(header.host.size() + header.app.size(), size);
      }
    }
  }
}

}  // namespace
}  // namespace penstock
