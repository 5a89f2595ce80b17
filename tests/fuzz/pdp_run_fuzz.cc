// Messages of any content: judged as a slower checker judges them that takes one thing after the
// other; those that are taken read from a run as they stand in the frame.
#include <algorithm>
#include <optional>
#include <vector>

#include "base/check.h"
#include "dataplane/door/pdp/run_check.h"
#include "storage/format/run.h"
#include "tests/fuzz/fuzz_input.h"

using namespace penstock;

namespace {

using pdp::RunFault;

// One message's bytes, part by part; a part that is not there ends all.
struct Message {
  MessageHeader header;
  std::span<const std::byte> subject;
  std::span<const std::byte> headers;
  std::span<const std::byte> payload;
};

bool take(std::span<const std::byte>& rest, std::size_t count, std::span<const std::byte>& part) {
  if (rest.size() < count) return false;
  part = rest.first(count);
  rest = rest.subspan(count);
  return true;
}

bool headers_fill(std::span<const std::byte> rest) {
  std::span<const std::byte> part;
  while (!rest.empty()) {
    if (!take(rest, 2, part) || !take(rest, load<std::uint16_t>(part), part)) return false;
    if (!take(rest, 4, part) || !take(rest, load<std::uint32_t>(part), part)) return false;
  }
  return true;
}

std::optional<RunFault> check_message(std::span<const std::byte>& rest, bool is_first,
                                      Message& message) {
  std::span<const std::byte> part;
  const std::size_t before = rest.size();
  if (!take(rest, sizeof(MessageHeader), part)) return RunFault::kBadLength;
  message.header = load<MessageHeader>(part);
  const MessageHeader& header = message.header;
  if (header.time_delta_ns != 0 || static_cast<std::uint16_t>(header.flags) != 0) {
    return RunFault::kBadField;
  }
  if (is_first ? header.subject_length < 1 || header.subject_length > 1024
               : header.subject_length != 0) {
    return RunFault::kBadSubject;
  }
  if (!take(rest, header.subject_length, message.subject) || !take(rest, header.key_length, part) ||
      !take(rest, header.headers_length, message.headers)) {
    return RunFault::kBadLength;
  }
  if (!headers_fill(message.headers)) return RunFault::kBadHeaders;
  if (!take(rest, header.payload_length, message.payload)) return RunFault::kBadLength;
  const std::size_t over = (before - rest.size()) % 8;
  if (!take(rest, over == 0 ? 0 : 8 - over, part)) return RunFault::kBadLength;
  for (const std::byte byte : part) {
    if (byte != std::byte{0}) return RunFault::kBadPadding;
  }
  return std::nullopt;
}

std::expected<std::vector<Message>, RunFault> check_slowly(std::span<const std::byte> rest,
                                                           std::uint32_t message_count) {
  std::vector<Message> messages;
  while (!rest.empty()) {
    Message& message = messages.emplace_back();
    const auto fault = check_message(rest, messages.size() == 1, message);
    if (fault) return std::unexpected(*fault);
  }
  if (messages.empty() || messages.size() != message_count)
    return std::unexpected(RunFault::kBadCount);
  return messages;
}

void check_read(std::span<const std::byte> frame, const std::vector<Message>& messages) {
  std::vector<std::byte> run(run_head_bytes(1));
  run.insert(run.end(), frame.begin(), frame.end());
  RunHeader header{};
  header.length = static_cast<std::uint32_t>(run.size());
  header.message_count = static_cast<std::uint32_t>(messages.size());
  header.capture_count = 1;
  store(run, 0, header);
  RunReader reader(run);
  for (const Message& message : messages) {
    const auto read = reader.next();
    CHECK(read.has_value());
    CHECK(read->subject == fuzz::text_of(messages[0].subject));
    CHECK_EQ(read->key.size(), message.header.key_length);
    CHECK(std::ranges::equal(read->headers, message.headers));
    CHECK(std::ranges::equal(read->payload, message.payload));
  }
  CHECK(!reader.next() && reader.ok());
}

void check(std::span<const std::byte> frame, std::uint32_t message_count) {
  const auto slow = check_slowly(frame, message_count);
  const auto fast = pdp::check_run(frame, message_count);
  CHECK_EQ(fast.has_value(), slow.has_value());
  if (!fast) {
    CHECK(pdp::name_of(fast.error()) == pdp::name_of(slow.error()));
    return;
  }
  std::uint64_t payload_bytes = 0;
  for (const Message& message : *slow) payload_bytes += message.payload.size();
  CHECK_EQ(fast->payload_bytes, payload_bytes);
  CHECK(fuzz::lies_in(std::as_bytes(std::span(fast->subject)), frame));
  check_read(frame, *slow);
}

}  // namespace

// How many messages the frame says it has, then the messages. In a copy of just their length, so
// that a byte read behind them is found; judged with the true count as well.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::FuzzInput input(data, size);
  const auto message_count = input.number<std::uint32_t>();
  const std::vector<std::byte> frame(input.rest().begin(), input.rest().end());
  check(frame, message_count);
  for (std::uint32_t count = 0; count < 8; ++count) check(frame, count);
  return 0;
}
