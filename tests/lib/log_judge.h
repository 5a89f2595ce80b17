// What has to be on a drive whatever ended the life of the log on it.
//
// Every message says its offset, and what it says besides follows from that: what is read back
// needs no list to be judged by.
#pragma once

#include <memory>
#include <string>

#include <fmt/format.h>

#include "storage/read/log_reader.h"
#include "storage/recover/verify.h"
#include "tests/lib/sim_sessions.h"

namespace penstock {

[[nodiscard]] inline std::string sim_payload(std::uint64_t offset, std::size_t bytes) {
  std::string text = fmt::format("{:016x} ", offset);
  text.resize(bytes, static_cast<char>('a' + offset % 26));
  return text;
}

// What an observer knew when the drive stopped.
struct LogExpectation {
  std::uint64_t durable = 0;      // messages before this one have to be there ...
  std::uint64_t trimmed_max = 0;  // ... but for those before this one, which retention may have
                                  // taken
  std::uint64_t appended = 0;     // none from here on may be
  std::size_t payload_bytes = 10'000;
  SimSessions sessions;  // none: no message is a producer's
};

// Reads log 0 as `penstock read` does and, with `verify`, checks the volume as `penstock verify`
// does. Returns what is wrong; empty: nothing.
[[nodiscard]] inline std::string what_is_wrong(std::unique_ptr<VolumeDevice> device,
                                               const LogExpectation& expected, bool verify = true) {
  auto opened = Volume::open(std::move(device));
  if (!opened) {
    return expected.durable == 0 ? "" : "the volume does not open: " + opened.error().what;
  }
  if (verify) {
    const auto verified = verify_volume(opened->device());
    if (!verified) return "verify fails: " + verified.error().what;
    for (const Finding& finding : verified->findings) {
      if (!is_damage(finding)) continue;
      return fmt::format("verify finds {}: {}", to_string(finding.kind), finding.what);
    }
  }
  const auto recovered = recover_volume(*opened);
  if (!recovered) return "recovery fails: " + recovered.error().what;
  const auto log = recovered->logs.find(LogNumber(0));
  if (log == recovered->logs.end()) return expected.durable == 0 ? "" : "there is no log";
  LogReader reader(*opened, LogNumber(0), stream_id("all"), log->second, end_of(log->second));
  std::optional<std::uint64_t> next;
  std::map<SessionNumber, std::uint64_t> ends;
  for (;;) {
    const auto item = reader.next();
    if (!item) return "reading fails: " + item.error().what;
    if (std::holds_alternative<AtEnd>(*item)) break;
    if (const auto* gap = std::get_if<Gap>(&*item)) {
      return fmt::format("a {} gap at {}: {}", to_string(gap->kind), gap->first, gap->what);
    }
    const auto& record = std::get<Record>(*item);
    const std::uint64_t offset = record.offset.value;
    if (next.value_or(offset) != offset) return fmt::format("{} follows {}", offset, *next - 1);
    if (!next && offset > expected.trimmed_max) return fmt::format("{} is the first", offset);
    if (offset >= expected.appended) return fmt::format("{} was never appended", offset);
    const std::string payload = sim_payload(offset, expected.payload_bytes);
    if (!std::ranges::equal(record.message.payload, std::as_bytes(std::span(payload)))) {
      return fmt::format("message {} is another one", offset);
    }
    next = offset + 1;
    if (const auto& producer = record.message.producer) {
      if (producer->sequence < ends[producer->session]) {
        return fmt::format("session {}: {} comes twice", producer->session, producer->sequence);
      }
      ends[producer->session] = producer->sequence + 1;
    } else if (!expected.sessions.empty()) {
      return fmt::format("message {} does not say whose it is", offset);
    }
  }
  if (next.value_or(0) < expected.durable) {
    return fmt::format("{} messages were durable, they end at {}", expected.durable,
                       next.value_or(0));
  }
  return what_is_wrong(expected.sessions, ends, log->second.start.producers);
}

}  // namespace penstock
