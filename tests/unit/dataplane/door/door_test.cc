#include "dataplane/door/door.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"
#include "dataplane/door/syslog_parser.h"
#include "tests/lib/make_routing.h"
#include "tests/lib/packet_builder.h"

namespace penstock {
namespace {

using test::ip;
using Strings = std::vector<std::string>;

// Keeps what a door offers.
struct Sink {
  void offer(std::size_t origin, CaptureSetId /*set*/, const MessageView& message) {
    ++captured;
    take(origin, message);
  }
  void offer_uncaptured(std::size_t origin, MessageFate why, const MessageView& message) {
    reasons.push_back(why);
    take(origin, message);
  }
  void take(std::size_t origin, const MessageView& message) {
    origins.push_back(origin);
    subjects.emplace_back(message.subject);
    payloads.emplace_back(reinterpret_cast<const char*>(message.payload.data()),
                          message.payload.size());
    flags.push_back(message.flags);
    received.push_back(message.received);
  }
  std::size_t captured = 0;
  std::vector<MessageFate> reasons;
  std::vector<std::size_t> origins;
  Strings subjects;
  Strings payloads;
  std::vector<MessageFlag> flags;
  std::vector<UnixNanos> received;
};

class DoorTest : public testing::Test {
 protected:
  void open(DoorProtocol protocol, std::string_view subject = {}) {
    auto compiled = SubjectTemplate::compile(subject.empty() ? default_subject(protocol) : subject,
                                             subject_variables(protocol));
    ASSERT_TRUE(compiled.has_value()) << compiled.error().what;
    door_ = std::make_unique<Door>(
        DoorOptions{
            .number = 3, .name = "lan", .protocol = protocol, .port = 514, .subject = *compiled},
        router_, account_);
  }
  Sink take(std::string_view payload, std::string_view source = "10.0.0.9") {
    Datagram datagram;
    datagram.payload = std::as_bytes(std::span(payload));
    datagram.source = ip(source);
    datagram.received = UnixNanos(77);
    Sink sink;
    door_->take(datagram, sink);
    return sink;
  }
  std::string subject_of(std::string_view payload) { return take(payload).subjects.at(0); }

  Routing routing_ = test::make_routing({
      {"all", {"syslog.>"}}
  });
  StreamRouter router_{routing_, [](auto) { return CaptureSetId(0); }};
  MessageAccount account_;
  std::unique_ptr<Door> door_;
};

TEST_F(DoorTest, ASyslogMessageIsKeptAsItCameUnderWhatItSaysOfItself) {
  open(DoorProtocol::kSyslog);
  const std::string_view message = "<165>1 2003-10-11T22:14:15.003Z db7 postgres 1 - - text\n";
  const Sink sink = take(message);
  EXPECT_EQ(sink.payloads, Strings{std::string(message)});
  EXPECT_EQ(sink.subjects, Strings{"syslog.local4.notice.db7.postgres"});
  EXPECT_EQ(sink.flags, std::vector{MessageFlag::kNone});
  EXPECT_EQ(sink.origins, std::vector<std::size_t>{3});
  EXPECT_EQ(sink.received, std::vector{UnixNanos(77)});
  EXPECT_EQ(sink.captured, 1U);
  EXPECT_EQ(account_.malformed, Tally{});
}

TEST_F(DoorTest, AMalformedSyslogMessageIsKeptAndMarked) {
  open(DoorProtocol::kSyslog);
  const Sink sink = take("Use the BFG!");
  EXPECT_EQ(sink.payloads, Strings{"Use the BFG!"});
  EXPECT_EQ(sink.subjects, Strings{"syslog.user.notice.-.-"});
  EXPECT_EQ(sink.flags, std::vector{MessageFlag::kMalformed});
  EXPECT_EQ(account_.malformed.count, 1U);
  EXPECT_EQ(account_.malformed.bytes, 12U);
}

TEST_F(DoorTest, AMalformedMessageIsMarkedAlsoWhenItsRouteIsKnown) {
  open(DoorProtocol::kSyslog);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(take("<13>1 - h a - - bad").flags, std::vector{MessageFlag::kMalformed});
    EXPECT_EQ(take("<13>1 - h a - - - good").flags, std::vector{MessageFlag::kNone});
  }
  EXPECT_EQ(account_.malformed.count, 3U);
}

TEST_F(DoorTest, TheNewlineOrNulAtTheEndIsNoPartOfAName) {
  open(DoorProtocol::kSyslog);
  for (const std::string_view end : {std::string_view("\n"), std::string_view("\r\n"),
                                     std::string_view("\0", 1), std::string_view("\n\0", 2)}) {
    EXPECT_EQ(subject_of("<13>Mar  5 10:11:12 h app" + std::string(end)),
              "syslog.user.notice.h.app");
  }
}

TEST_F(DoorTest, NoSenderForgesLevelsOfTheSubject) {
  open(DoorProtocol::kSyslog);
  EXPECT_EQ(subject_of("<13>1 - db7.example.com a.b - - - x"),
            "syslog.user.notice.db7_example_com.a_b");
  EXPECT_EQ(subject_of("<13>1 - * > - - - x"), "syslog.user.notice._._");
  EXPECT_EQ(subject_of("<13>1 - h\tx \xC3\xA4pp - - - x"), "syslog.user.notice.h_x.__pp");
  EXPECT_EQ(subject_of("<13>1 - " + std::string(200, 'h') + " a - - - x"),
            "syslog.user.notice." + std::string(kTokenBytesMax, 'h') + ".a");
}

TEST_F(DoorTest, LinesEndWithLfOrCrlfAndTheLastMayHaveNeither) {
  open(DoorProtocol::kLine);
  const struct {
    std::string_view datagram;
    Strings lines;
    std::uint64_t empty;
  } table[] = {
      {"one",              {"one"},        0},
      {"one\n",            {"one"},        0},
      {"one\r\n",          {"one"},        0},
      {"one\ntwo",         {"one", "two"}, 0},
      {"one\r\ntwo\n",     {"one", "two"}, 0},
      {"one\n\n\r\ntwo\n", {"one", "two"}, 2},
      {"\n",               {},             1},
      {"\r\n",             {},             1},
      {"",                 {},             1},
      {"a\rb\n",           {"a\rb"},       0},
      {"a\r\r\n",          {"a\r"},        0},
      {"a\r",              {"a\r"},        0},
      {"\r",               {"\r"},         0},
      {" \n",              {" "},          0},
  };
  for (const auto& row : table) {
    account_ = {};
    EXPECT_EQ(take(row.datagram).payloads, row.lines) << row.datagram;
    EXPECT_EQ(account_.empty.count, row.empty) << row.datagram;
  }
}

TEST_F(DoorTest, LinesKeepBytesThatAreNoText) {
  open(DoorProtocol::kLine);
  const std::string_view datagram("a\0b\n\xFF\n", 6);
  EXPECT_EQ(take(datagram).payloads, (Strings{std::string("a\0b", 3), "\xFF"}));
}

TEST_F(DoorTest, ADatagramIsAMessageAsItIs) {
  open(DoorProtocol::kLineDatagram);
  EXPECT_EQ(take("one\r\n\ntwo\n").payloads, Strings{"one\r\n\ntwo\n"});
  EXPECT_EQ(take("\n").payloads, Strings{"\n"});
}

TEST_F(DoorTest, AnEmptyDatagramIsCountedAndOffersNothing) {
  for (const DoorProtocol protocol :
       {DoorProtocol::kSyslog, DoorProtocol::kLine, DoorProtocol::kLineDatagram}) {
    account_ = {};
    open(protocol);
    EXPECT_TRUE(take("").payloads.empty());
    EXPECT_EQ(account_.empty.count, 1U);
  }
}

TEST_F(DoorTest, WhatNoStreamCapturesIsOfferedAsThat) {
  open(DoorProtocol::kLine);
  const Sink sink = take("one\ntwo\n");
  EXPECT_EQ(sink.subjects, (Strings{"lines.lan", "lines.lan"}));
  EXPECT_EQ(sink.captured, 0U);
}

TEST_F(DoorTest, WhatIsNotCapturedSaysWhyAlsoWhenItsRouteIsKnown) {
  open(DoorProtocol::kSyslog, "other.{host}");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(take("<13>1 - h a - - - x").reasons, std::vector{MessageFate::kNoStream});
  }
  const Routing all = test::make_routing({
      {"all", {">"}}
  });
  StreamRouter full(all, [](auto) { return std::nullopt; });
  const auto subject =
      SubjectTemplate::compile("x.{source}", subject_variables(DoorProtocol::kLine));
  Door door({.name = "lan", .protocol = DoorProtocol::kLine, .subject = *subject}, full, account_);
  Datagram datagram;
  datagram.payload = std::as_bytes(std::span(std::string_view("one")));
  datagram.source = ip("fd00::9");
  Sink sink;
  for (int i = 0; i < 3; ++i) door.take(datagram, sink);
  EXPECT_EQ(sink.reasons, std::vector(3, MessageFate::kCapturesFull));
  EXPECT_EQ(sink.subjects, (Strings{"x.fd00::9", "x.fd00::9", "x.fd00::9"}));
}

// Those that it knows by heart, too.
TEST_F(DoorTest, RoutesAreOfTheNewestStreams) {
  const Routing other = test::make_routing({
      {"lines", {"lines.>", "by.>"}}
  });
  struct Case {
    DoorProtocol protocol;
    std::string_view subject;
    std::string_view payload;
    bool now;
  };
  for (const Case& each : {
           Case{DoorProtocol::kSyslog, "",            "<13>1 - h a - - - x", true },
           Case{DoorProtocol::kLine,   "",            "x",                   false},
           Case{DoorProtocol::kLine,   "by.{source}", "x",                   false}
  }) {
    open(each.protocol, each.subject);
    for (int round = 0; round < 3; ++round) {
      for (const bool adopted : {false, true}) {
        router_.adopt(adopted ? other : routing_);
        EXPECT_EQ(take(each.payload).captured, each.now != adopted ? 1U : 0U) << each.subject;
      }
    }
  }
}

TEST_F(DoorTest, TheSubjectMayNameDoorPortAndSource) {
  open(DoorProtocol::kLine, "in.{door}.{port}.{source}");
  EXPECT_EQ(take("x", "10.0.0.9").subjects, Strings{"in.lan.514.10_0_0_9"});
  EXPECT_EQ(take("x", "fd00::9").subjects, Strings{"in.lan.514.fd00::9"});
  open(DoorProtocol::kSyslog, "{source}.{host}");
  EXPECT_EQ(take("<13>1 - h a - - - x", "10.0.0.8").subjects, Strings{"10_0_0_8.h"});
  EXPECT_EQ(take("<13>1 - h a - - - x", "10.0.0.9").subjects, Strings{"10_0_0_9.h"});
}

// More senders than the cache has places, and names too long for it: the answer is always the right
// one.
TEST_F(DoorTest, EverySenderGetsItsOwnSubjectHoweverManyThereAre) {
  open(DoorProtocol::kSyslog, "{source}.{facility}.{severity}.{host}.{app}");
  Rng rng(5);
  constexpr unsigned kCases = 60'000;
  unsigned failed = 0;
  for (unsigned i = 0; i < kCases; ++i) {
    const std::uint64_t priority = rng.below(192);
    const std::string host = std::to_string(rng.below(10'000)) + std::string(rng.below(50), 'h');
    const std::string app = std::to_string(rng.below(3)) + std::string(rng.below(50), 'a');
    const std::string source = "10.0.0." + std::to_string(1 + rng.below(3));
    const Sink sink =
        take("<" + std::to_string(priority) + ">1 - " + host + " " + app + " - - - x", source);
    std::string expected = source;
    for (char& c : expected) c = c == '.' ? '_' : c;
    expected.append(".").append(facility_name(static_cast<std::uint8_t>(priority / 8)));
    expected.append(".").append(severity_name(static_cast<std::uint8_t>(priority % 8)));
    expected.append(".").append(host).append(".").append(app);
    if (sink.subjects.at(0) != expected) ++failed;
  }
  EXPECT_EQ(failed, 0U);
  std::printf("FIGURE name=sender_subjects cases=%u failed=%u\n", kCases, failed);
}

}  // namespace
}  // namespace penstock
