// Blocks: what finish_block() made is read back, with any bit changed it is refused, and one that
// lies under a good checksum is refused or consistent, never read past its end.
#include <vector>

#include "base/check.h"
#include "storage/format/block.h"
#include "tests/fuzz/fuzz_input.h"

using namespace penstock;
using Block = std::vector<std::byte>;

namespace {

constexpr std::size_t kBlockBytes = 2 * kPageBytes;
const BlockPlace kPlace{{std::byte{7}}, LogNumber(1), Generation(2), 3};

// What a run says of itself is true, and all it hands out lies within it. Returns its messages.
std::uint64_t walk(RunReader& run, std::span<const std::byte> bytes) {
  std::uint64_t messages = 0;
  for (; const auto message = run.next(); ++messages) {
    CHECK(fuzz::lies_in(message->subject, fuzz::text_of(bytes)));
    CHECK(!message->subject.empty());
    CHECK_EQ(message->producer.has_value(), run.producer().has_value());
    if (message->producer) CHECK_LT(message->producer->sequence, kProducerSequenceEnd);
    for (const auto part : {message->key, message->headers, message->payload}) {
      CHECK(fuzz::lies_in(part, bytes));
    }
  }
  CHECK(!run.ok() || messages == run.header().message_count);
  return messages;
}

void check_accepted(const Block& block) {
  BlockReader reader(block);
  std::uint64_t messages = 0;
  for (auto bytes = reader.next_run(); !bytes.empty(); bytes = reader.next_run()) {
    CHECK(fuzz::lies_in(bytes, block));
    RunReader run(bytes);
    messages += walk(run, bytes);
    CHECK(run.ok());
    for (std::size_t i = 0; i < run.header().capture_count; ++i) static_cast<void>(run.capture(i));
  }
  CHECK_EQ(messages, reader.header().message_count);
}

// A block with one run of one message after the other, all payloads and times as the input says.
Block build(fuzz::FuzzInput& input) {
  Block block(kBlockBytes);
  const auto base = input.number<std::int32_t>();
  BlockHeader header{.length = kBlockBytes,
                     .run_count = 1,
                     .log = kPlace.log.value,
                     .volume = kPlace.volume,
                     .generation = kPlace.generation.value,
                     .position = kPlace.position,
                     .first_received_ns = base,
                     .last_received_ns = base};
  const std::uint16_t flags = input.number<std::uint8_t>() % 2 == 1 ? kRunOfProducer : 0;
  std::size_t at = sizeof header + run_head_bytes(1, flags);
  for (unsigned left = 1 + input.number<std::uint8_t>() % 8; left > 0; --left) {
    const auto payload = input.bytes(input.number<std::uint8_t>());
    store(block, at,
          MessageHeader{.payload_length = static_cast<std::uint32_t>(payload.size()),
                        .subject_length = 1});
    block[at + sizeof(MessageHeader)] = std::byte{'s'};
    std::ranges::copy(payload, block.begin() + static_cast<std::ptrdiff_t>(at) + 17);
    at += message_bytes(1, 0, 0, payload.size());
    ++header.message_count;
  }
  header.used = static_cast<std::uint32_t>(at);
  store(block, sizeof header,
        RunHeader{.length = header.used - std::uint32_t{sizeof header},
                  .message_count = header.message_count,
                  .base_time_ns = base,
                  .capture_count = 1,
                  .flags = flags});
  finish_block(block, header);
  return block;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::FuzzInput input(data, size);
  RunReader raw(input.rest());
  walk(raw, input.rest());
  if (check_block(input.rest(), kPlace) == BlockFault::kNone) {
    check_accepted({input.rest().begin(), input.rest().end()});
  }
  const bool sealed_again = input.number<std::uint8_t>() % 2 == 1;
  const Block made = build(input);
  CHECK(check_block(made, kPlace) == BlockFault::kNone);
  check_accepted(made);
  Block changed = made;
  while (!input.empty()) {
    const auto value = input.number<std::uint64_t>();
    const auto place = input.number<std::uint16_t>();  // most often where the lengths are
    store(std::span(changed), place % ((place & 0x8000U) != 0 ? kBlockBytes - 7 : 256), value);
  }
  const auto header = load<BlockHeader>(changed);
  if (sealed_again && header.used <= header.length && header.length >= sizeof header &&
      header.length <= kBlockBytes) {
    finish_block(changed, header);
    if (check_block(changed, kPlace) == BlockFault::kNone) check_accepted(changed);
  } else {
    CHECK_EQ(check_block(changed, kPlace) == BlockFault::kNone, changed == made);
  }
  return 0;
}
