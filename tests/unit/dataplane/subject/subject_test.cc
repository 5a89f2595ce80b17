#include "dataplane/subject/subject.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "dataplane/subject/subject_template.h"

namespace penstock {
namespace {

using enum SubjectVariable;
constexpr std::array kKnown{kDoor, kHost, kApp};

std::string clean(std::string_view text) {
  SubjectBuffer buffer;
  buffer.append_token(text);
  return std::string(buffer.view());
}

TEST(Subject, ItsRulesAreThoseOfNats) {
  for (const std::string_view good :
       {"a", "a.b", "syslog.local4.err.db7.postgres", "-", "a-b_c:d/e"}) {
    EXPECT_TRUE(is_valid_subject(good)) << good;
  }
  for (const std::string_view bad :
       {"", ".", "a.", ".a", "a..b", "a b", "a.*", "a.>", "a\tb", "\x7F", "\xC3\xA4", "a\nb"}) {
    EXPECT_FALSE(is_valid_subject(bad)) << bad;
  }
}

TEST(Subject, ItsLimitsAreExact) {
  EXPECT_TRUE(is_valid_subject(std::string(kSubjectBytesMax, 'x')));
  EXPECT_FALSE(is_valid_subject(std::string(kSubjectBytesMax + 1, 'x')));
  std::string tokens = "x";
  for (std::size_t i = 1; i < kSubjectTokensMax; ++i) tokens += ".x";
  EXPECT_TRUE(is_valid_subject(tokens));
  EXPECT_FALSE(is_valid_subject(tokens + ".x"));
}

TEST(SubjectToken, WhateverASenderWritesBecomesOnePlainToken) {
  EXPECT_EQ(clean("postgres"), "postgres");
  EXPECT_EQ(clean("db7.example.com"), "db7_example_com");
  EXPECT_EQ(clean("* > x"), "____x");
  EXPECT_EQ(clean("a\r\nb"), "a__b");
  EXPECT_EQ(clean(""), kNilToken);
  EXPECT_EQ(clean(std::string(1000, 'x')), std::string(kTokenBytesMax, 'x'));
}

TEST(SubjectToken, EveryOctetIsKeptOrBecomesAnUnderscore) {
  for (int c = 0; c < 256; ++c) {
    const std::string text(1, static_cast<char>(c));
    const std::string token = clean(text);
    EXPECT_TRUE(is_valid_subject(token)) << c;
    EXPECT_TRUE(token == text || token == "_") << c;
    EXPECT_EQ(token.find('.'), std::string::npos) << c;
  }
}

SubjectTemplate compile(std::string_view text) {
  auto compiled = SubjectTemplate::compile(text, kKnown);
  EXPECT_TRUE(compiled.has_value()) << (compiled ? "" : compiled.error().what);
  return *compiled;
}

std::string render(std::string_view text, std::string_view host, std::string_view app) {
  SubjectValues values{};
  values[static_cast<std::size_t>(kDoor)] = "lan";
  values[static_cast<std::size_t>(kHost)] = host;
  values[static_cast<std::size_t>(kApp)] = app;
  SubjectBuffer buffer;
  compile(text).render(values, buffer);
  return std::string(buffer.view());
}

TEST(SubjectTemplate, TextStandsAndVariablesAreFilledIn) {
  EXPECT_EQ(render("plain", "h", "a"), "plain");
  EXPECT_EQ(render("{door}.{host}.{app}", "h", "a"), "lan.h.a");
  EXPECT_EQ(render("x.{host}-{app}.y", "h", "a"), "x.h-a.y");
  EXPECT_EQ(render("{host}{host}", "h", "a"), "hh");
  EXPECT_EQ(render("x.{host}.{app}", "", "a.b"), "x.-.a_b");
}

TEST(SubjectTemplate, ItKnowsWhatItUses) {
  EXPECT_TRUE(compile("x.{host}").uses(kHost));
  EXPECT_FALSE(compile("x.{host}").uses(kApp));
  EXPECT_FALSE(compile("host").uses(kHost));
}

TEST(SubjectTemplate, AnUnknownVariableIsNamedAndSoAreTheKnownOnes) {
  for (const auto& [text, name] : {
           std::pair{"x.{hosst}",    "'hosst'"   },
           {"x.{}",         "''"        },
           {"x.{facility}", "'facility'"},
           {"x.{host",      "'{host'"   },
           {"x.{ho{st}",    "'ho{st'"   }
  }) {
    const auto compiled = SubjectTemplate::compile(text, kKnown);
    ASSERT_FALSE(compiled.has_value()) << text;
    EXPECT_EQ(compiled.error().code, Errc::kInvalidArgument);
    for (const std::string_view part : {text, name, "{door}, {host}, {app}"}) {
      EXPECT_NE(compiled.error().what.find(part), std::string::npos) << compiled.error().what;
    }
  }
}

TEST(SubjectTemplate, WhatIsNoSubjectIsRefused) {
  for (const std::string_view text : {"", ".", "x.", ".{host}", "x..{host}", "x.*", "x.>", "x y"}) {
    const auto compiled = SubjectTemplate::compile(text, kKnown);
    ASSERT_FALSE(compiled.has_value()) << text;
    EXPECT_NE(compiled.error().what.find("not a subject"), std::string::npos);
  }
}

TEST(SubjectTemplate, TheLongestValuesStillFitWhatIsAccepted) {
  std::string text(kSubjectBytesMax - 2 * kTokenBytesMax - 1, 'x');
  text += "{host}.{app}";
  const std::string longest(1000, 'y');
  EXPECT_EQ(render(text, longest, longest).size(), kSubjectBytesMax);
  EXPECT_FALSE(SubjectTemplate::compile("x" + text, kKnown).has_value());
}

}  // namespace
}  // namespace penstock
