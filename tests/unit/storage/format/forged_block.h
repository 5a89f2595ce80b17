// Runs and blocks laid out byte by byte, as docs/format.md has them, so that a test may tell lies.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/crc32c.h"
#include "storage/format/block.h"

namespace penstock::test {

using Bytes = std::vector<std::byte>;

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct ForgedMessage {
  std::string subject;  // empty: that of the message before
  std::string payload;
  std::string key = {};
  std::string headers = {};
  std::uint32_t time_delta_ns = 0;
  MessageFlag flags = MessageFlag::kNone;
};

template <class T>
void append_value(Bytes& into, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  into.insert(into.end(), bytes.begin(), bytes.end());
}

inline Bytes forge_run(const std::vector<Capture>& captures,
                       const std::vector<ForgedMessage>& messages, std::int64_t base_time_ns,
                       const std::optional<RunProducer>& producer = std::nullopt) {
  Bytes run;
  RunHeader header{};
  header.message_count = static_cast<std::uint32_t>(messages.size());
  header.base_time_ns = base_time_ns;
  header.capture_count = static_cast<std::uint16_t>(captures.size());
  header.flags = producer ? kRunOfProducer : std::uint16_t{0};
  append_value(run, header);
  if (producer) append_value(run, *producer);
  for (const Capture& capture : captures) append_value(run, capture);
  for (const ForgedMessage& message : messages) {
    append_value(run, MessageHeader{
                          static_cast<std::uint32_t>(message.payload.size()), message.time_delta_ns,
                          static_cast<std::uint16_t>(message.subject.size()),
                          static_cast<std::uint16_t>(message.key.size()),
                          static_cast<std::uint16_t>(message.headers.size()), message.flags});
    for (const std::string* part :
         {&message.subject, &message.key, &message.headers, &message.payload}) {
      const auto bytes = bytes_of(*part);
      run.insert(run.end(), bytes.begin(), bytes.end());
    }
    run.resize(align_up<std::size_t>(run.size(), kMessageAlign));
  }
  store(std::span(run), offsetof(RunHeader, length), static_cast<std::uint32_t>(run.size()));
  return run;
}

inline const BlockPlace kForgedPlace{.volume = VolumeId{std::byte{7}},
                                     .log = LogNumber(3),
                                     .generation = Generation(99),
                                     .position = 5};

// The header of a block at kForgedPlace that holds these runs of messages from `first` to `last`.
inline BlockHeader header_for(const std::vector<Bytes>& runs, std::int64_t first,
                              std::int64_t last) {
  BlockHeader header{};
  header.used = sizeof(BlockHeader);
  for (const Bytes& run : runs) {
    header.used += static_cast<std::uint32_t>(run.size());
    header.message_count += load<RunHeader>(run).message_count;
  }
  header.length = align_up<std::uint32_t>(header.used, kPageBytes);
  header.run_count = static_cast<std::uint32_t>(runs.size());
  header.log = kForgedPlace.log.value;
  header.volume = kForgedPlace.volume;
  header.generation = kForgedPlace.generation.value;
  header.position = kForgedPlace.position;
  header.sequence = 41;
  header.previous_crc = 0x1234;
  header.first_received_ns = first;
  header.last_received_ns = last;
  return header;
}

inline Bytes forge_block(const std::vector<Bytes>& runs, const BlockHeader& header) {
  Bytes block(header.length);
  std::size_t at = sizeof(BlockHeader);
  for (const Bytes& run : runs) {
    std::memcpy(block.data() + at, run.data(), run.size());
    at += run.size();
  }
  finish_block(block, header);
  return block;
}

// Makes the checksum right again after a lie.
inline void reseal(std::span<std::byte> block) {
  const std::uint32_t crc = crc32c(block.subspan(offsetof(BlockHeader, version)));
  store(block, offsetof(BlockHeader, crc), crc);
}

}  // namespace penstock::test
