// Datagrams through the front doors: no byte of a message is lost, added or changed, and no sender
// chooses how many tokens its subject has.
#include <algorithm>
#include <memory>
#include <vector>

#include "dataplane/door/door.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/lib/make_routing.h"

using namespace penstock;

namespace {

constexpr std::array kTemplates{"a.{door}.{port}", "b.{source}.{door}", "c.{source}{door}.{port}"};
constexpr std::ptrdiff_t kDots = 2;

struct Sink {
  void offer(std::size_t, CaptureSetId, const MessageView& message) { take(message); }
  void offer_uncaptured(std::size_t, MessageFate, const MessageView& message) { take(message); }
  void take(const MessageView& message) {
    CHECK(is_valid_subject(message.subject));
    CHECK_EQ(std::ranges::count(message.subject, '.'), dots);
    messages.push_back(fuzz::text_of(message.payload));
  }
  std::ptrdiff_t dots;
  std::vector<std::string_view> messages = {};
};

struct Lines {
  std::vector<std::string_view> lines;
  std::uint64_t empty = 0;
};

// As a text file is read, another way than the door's.
Lines split(std::string_view text) {
  Lines result;
  for (std::size_t from = 0, at = 0; at <= text.size(); ++at) {
    const bool last = at == text.size();
    if (!last && text[at] != '\n') continue;
    if (last && from == at && !text.empty()) break;
    std::string_view line = text.substr(from, at - from);
    if (!last && line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) ++result.empty;
    if (!line.empty()) result.lines.push_back(line);
    from = at + 1;
  }
  return result;
}

// Made once: the memory of a door's routes costs more than a thousand datagrams.
Door& door_of(DoorProtocol protocol, std::size_t choice, MessageAccount& account) {
  static const Routing routing = test::make_routing({});
  static StreamRouter router(routing, [](auto) { return CaptureSetId(0); });
  static std::array<std::array<std::unique_ptr<Door>, kTemplates.size()>, 3> doors;
  auto& door = doors.at(static_cast<std::size_t>(protocol)).at(choice);
  if (door == nullptr) {
    const std::string_view text =
        protocol == DoorProtocol::kSyslog ? default_subject(protocol) : kTemplates.at(choice);
    const auto subject = SubjectTemplate::compile(text, subject_variables(protocol));
    door = std::make_unique<Door>(
        DoorOptions{.name = "d", .protocol = protocol, .port = 514, .subject = *subject}, router,
        account);
  }
  return *door;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::FuzzInput input(data, size);
  const auto protocol = static_cast<DoorProtocol>(input.number<std::uint8_t>() % 3);
  const bool syslog = protocol == DoorProtocol::kSyslog;
  static MessageAccount account;
  Door& door = door_of(protocol, input.number<std::uint8_t>() % kTemplates.size(), account);
  while (!input.empty()) {
    Datagram datagram;
    datagram.source.bytes[15] = input.number<std::byte>();
    datagram.payload = input.bytes(input.number<std::uint16_t>());
    const std::string_view payload = fuzz::text_of(datagram.payload);
    Sink sink{syslog ? 4 : kDots};
    const std::uint64_t empty = account.empty.count;
    door.take(datagram, sink);
    Lines expected = protocol == DoorProtocol::kLine ? split(payload) : Lines{{payload}};
    if (payload.empty()) expected = {{}, 1};
    CHECK(sink.messages == expected.lines);
    CHECK_EQ(account.empty.count - empty, expected.empty);
  }
  return 0;
}
