#include "control/cli/message_format.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace penstock {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

constexpr std::string_view kPayload = "<14>hello, \xC3\xBC";

Record record(std::string_view payload = kPayload, std::string_view key = "k-1") {
  Record record;
  record.log = LogNumber(3);
  record.offset = Offset(4711);
  record.message.subject = "syslog.user.info.web1.app";
  record.message.received = UnixNanos(1'795'461'692'640'123'456);
  record.message.key = bytes_of(key);
  record.message.payload = bytes_of(payload);
  return record;
}

std::string written(std::string_view format, const Record& message = record()) {
  fmt::memory_buffer out;
  MessageFormat::parse(format).value().write(message, "logs", out);
  return fmt::to_string(out);
}

nlohmann::json json_of(const Record& message) {
  fmt::memory_buffer out;
  write_json(message, "logs", "main", out);
  const std::string text = fmt::to_string(out);
  EXPECT_EQ(text.find('\n'), text.size() - 1) << "one line a message";
  return nlohmann::json::parse(text);
}

TEST(MessageFormat, WritesEveryField) {
  EXPECT_EQ(written("%s"), kPayload);
  EXPECT_EQ(written("%S"), "13");
  EXPECT_EQ(written("%k"), "k-1");
  EXPECT_EQ(written("%K"), "3");
  EXPECT_EQ(written("%u"), "syslog.user.info.web1.app");
  EXPECT_EQ(written("%t"), "logs");
  EXPECT_EQ(written("%p"), "3");
  EXPECT_EQ(written("%o"), "4711");
  EXPECT_EQ(written("%T"), "1795461692640");
  EXPECT_EQ(written("%N"), "1795461692640123456");
}

TEST(MessageFormat, WritesWhoseMessageItIsWhereAProducerNumberedIt) {
  EXPECT_EQ(written("%P,%Q;"), ",;");
  Record message = record();
  message.message.producer = {SessionNumber(0xFEED), 42};
  EXPECT_EQ(written("%P,%Q;", message), "000000000000feed,42;");
}

TEST(MessageFormat, WritesWhatStandsBetweenFieldsAndEveryEscape) {
  EXPECT_EQ(written("[%o|%o] 100%%"), "[4711|4711] 100%");
  EXPECT_EQ(written(R"(\n\r\t\\\x41\xfF%k)"), "\n\r\t\\A\xFFk-1");
  EXPECT_EQ(written(R"(a\0b)"), std::string("a\0b", 3));
  EXPECT_EQ(written(""), "");
}

TEST(MessageFormat, WritesPayloadsByteForByte) {
  const std::string payload("\0\xFF\n%s\\n", 8);
  EXPECT_EQ(written("%s", record(payload)), payload);
  EXPECT_EQ(written("%S:%s,", record("", "")), "0:,");
}

TEST(MessageFormat, RefusesWhatItDoesNotKnowAndSaysWhatThereIs) {
  for (const auto* text : {"%z", "%", "%s%", R"(\q)", R"(\)", R"(\x4)", R"(\xZZ)", R"(\x)"}) {
    const auto parsed = MessageFormat::parse(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Errc::kInvalidArgument);
    EXPECT_NE(parsed.error().what.find(text), std::string::npos);
    EXPECT_NE(parsed.error().what.find("there are"), std::string::npos);
  }
}

TEST(WriteJson, HasEveryField) {
  const auto json = json_of(record());
  EXPECT_EQ(json["stream"], "logs");
  EXPECT_EQ(json["volume"], "main");
  EXPECT_EQ(json["log"], 3);
  EXPECT_EQ(json["offset"], 4711);
  EXPECT_EQ(json["time"], "2026-11-23T19:21:32.640123456Z");
  EXPECT_EQ(json["received_ns"], 1'795'461'692'640'123'456);
  EXPECT_EQ(json["subject"], "syslog.user.info.web1.app");
  EXPECT_EQ(json["key"], "k-1");
  EXPECT_EQ(json["payload"], kPayload);
  EXPECT_TRUE(json["flags"].empty());
}

TEST(WriteJson, SaysWhoseMessageItIsWhereAProducerNumberedIt) {
  EXPECT_FALSE(json_of(record()).contains("producer"));
  EXPECT_FALSE(json_of(record()).contains("sequence"));
  Record message = record();
  message.message.producer = {SessionNumber(0xFEED), 42};
  EXPECT_EQ(json_of(message)["producer"], "000000000000feed");
  EXPECT_EQ(json_of(message)["sequence"], 42);
}

TEST(WriteJson, NamesFlagsAndLeavesOutAnAbsentKey) {
  Record message = record(kPayload, "");
  message.message.flags = MessageFlag::kMalformed | MessageFlag::kTruncated;
  const auto json = json_of(message);
  EXPECT_EQ(json["flags"], (nlohmann::json{"malformed", "truncated"}));
  EXPECT_FALSE(json.contains("key"));
  EXPECT_FALSE(json.contains("headers"));
}

TEST(WriteJson, WhatIsNotUtf8IsInBase64UnderAnotherName) {
  // Cut off, overlong, a surrogate, beyond Unicode, a lone continuation.
  for (const std::string_view bad :
       {"\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "a\x80"}) {
    const auto json = json_of(record(bad, bad));
    EXPECT_FALSE(json.contains("payload"));
    EXPECT_EQ(json["payload_base64"], base64(bad));
    EXPECT_EQ(json["key_base64"], base64(bad));
  }
  EXPECT_EQ(json_of(record(std::string_view("\0\n\"\\", 4)))["payload"],
            std::string("\0\n\"\\", 4));
}

TEST(WriteJson, SaysWhatIsMissing) {
  fmt::memory_buffer out;
  Gap gap;
  gap.kind = GapKind::kTrimmed;
  gap.log = LogNumber(2);
  gap.first = Offset(5);
  gap.next = Offset(9);
  gap.what = "deleted by retention";
  write_json(gap, "main", out);
  const auto json = nlohmann::json::parse(fmt::to_string(out));
  EXPECT_EQ(json["volume"], "main");
  EXPECT_EQ(json["gap"], to_string(GapKind::kTrimmed));
  EXPECT_EQ(json["log"], 2);
  EXPECT_EQ(json["first"], 5);
  EXPECT_EQ(json["next"], 9);
  EXPECT_EQ(json["what"], "deleted by retention");
}

// Two headers, as a run has them: the second of a name that is not UTF-8.
constexpr std::string_view kHeaders(
    "\1\0a\2\0\0\0bc"
    "\1\0\xFF\0\0\0\0",
    16);

TEST(Headers, AreWrittenInTheirOrder) {
  Record message = record();
  message.message.headers = bytes_of(kHeaders);
  EXPECT_EQ(written("%h", message), "a=bc,\xFF=");
  const auto json = json_of(message)["headers"];
  EXPECT_EQ(json, nlohmann::json::parse(
                      R"([{"name":"a","value":"bc"},{"name_base64":"/w==","value":""}])"));
  // What is cut off is left out, wherever the cut is.
  for (std::size_t bytes = 0; bytes < 9; ++bytes) {
    message.message.headers = bytes_of(kHeaders.substr(0, bytes));
    EXPECT_EQ(written("%h", message), "");
  }
}

TEST(MessageFormat, WritesTheLengthForProgramsToRead) {
  EXPECT_EQ(written("%R%s", record("ab")), std::string("\0\0\0\2ab", 6));
}

TEST(WriteText, SendsATerminalNoControlCharacters) {
  fmt::memory_buffer out;
  write_text(record("\x1b[2J\t\x7f \xC2\x9B \xC3\xBC \r\n"), true, out);
  EXPECT_TRUE(
      fmt::to_string(out).ends_with("app \\x1B[2J\\x09\\x7F \\xC2\x9B \xC3\xBC \\x0D\\x0A\n"));
}

TEST(WriteText, IsTimeSubjectAndPayload) {
  fmt::memory_buffer out;
  write_text(record("hello"), false, out);
  EXPECT_EQ(fmt::to_string(out),
            "2026-11-23T19:21:32.640123456Z syslog.user.info.web1.app hello\n");
}

TEST(Base64, GivesTheValuesOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFB\xFF\xBF"), "+/+/");
}

}  // namespace
}  // namespace penstock
