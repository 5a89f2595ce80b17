#include "tests/sim/oracle.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "storage/recover/segment_scan.h"

namespace penstock::sim {
namespace {

constexpr std::size_t kNumberDigits = 16;
constexpr std::uint64_t kNoNumber = ~std::uint64_t{0};

}  // namespace

void Oracle::fail(std::string what) {
  if (failure_.empty()) failure_ = std::move(what);
}

void Oracle::know(const Meant& meant) {
  const auto next = static_cast<std::uint32_t>(subjects_.size());
  const auto [subject, fresh] = subject_numbers_.try_emplace(meant.subject, next);
  if (fresh) subjects_.push_back(meant.subject);
  const auto text = std::as_bytes(std::span(meant.text));
  sent_.push_back({crc32c(text), subject->second, meant.streams, meant.flags});
}

void Oracle::received(std::size_t packets, UnixNanos now) {
  packets_received_ += packets;
  for (; received_arrivals_ < arrivals_.size(); ++received_arrivals_) {
    Arrival& arrival = arrivals_[received_arrivals_];
    if (arrival.packet > packets_received_) break;
    arrival.received = now;
  }
}

void Oracle::lost_the_rest() {
  packets_received_ = packets_fed_;
  received_arrivals_ = arrivals_.size();
}

bool Oracle::check_message(std::uint64_t number, const MessageView& message) {
  const Sent& sent = sent_[number];
  if (sent.crc != crc32c(message.payload)) {
    fail(fmt::format("message {} is another one", number));
  } else if (subjects_[sent.subject] != message.subject) {
    fail(fmt::format("message {} has the subject '{}' and not '{}'", number, message.subject,
                     subjects_[sent.subject]));
  } else if (sent.flags != message.flags) {
    fail(fmt::format("message {} has the flags {} and not {}", number,
                     static_cast<unsigned>(message.flags), static_cast<unsigned>(sent.flags)));
  } else if (!message.key.empty() || !message.headers.empty()) {
    fail(fmt::format("message {} has a key or headers", number));
  } else {
    return true;
  }
  return false;
}

std::uint64_t Oracle::number_of(const MessageView& message) {
  const std::string_view text(reinterpret_cast<const char*>(message.payload.data()),
                              message.payload.size());
  const std::size_t mark = text.find(kNumberMark);
  std::uint64_t number = kNoNumber;
  if (mark != std::string_view::npos && text.size() - mark > kNumberDigits) {
    const char* digits = text.data() + mark + 1;
    std::from_chars(digits, digits + kNumberDigits, number, 16);
  }
  if (number >= sent_.size()) {
    fail(fmt::format("a message was never sent: '{}'", text.substr(0, 80)));
    return kNoNumber;
  }
  return check_message(number, message) ? number : kNoNumber;
}

// The first message of a run, but for its number and time.
Entry Oracle::entry_of(const BlockHeader& header, const RunReader& run) {
  Entry entry{.number = kNoNumber, .received = UnixNanos(0), .block = header.sequence};
  entry.offsets.fill(kNoOffset);
  for (std::size_t i = 0; i < run.header().capture_count; ++i) {
    const Capture capture = run.capture(i);
    const auto stream = std::ranges::find(kStreamIds, StreamId(capture.stream));
    if (stream == kStreamIds.end()) {
      fail(fmt::format("block {}: stream {:x} is none", header.sequence, capture.stream));
      continue;
    }
    entry.offsets[static_cast<std::size_t>(stream - kStreamIds.begin())] = capture.base_offset;
  }
  return entry;
}

std::vector<Entry> Oracle::entries_in(std::span<const std::byte> block) {
  std::vector<Entry> entries;
  BlockReader reader(block);
  for (auto bytes = reader.next_run(); !bytes.empty(); bytes = reader.next_run()) {
    RunReader run(bytes);
    Entry entry = entry_of(reader.header(), run);
    StreamMask mask = 0;
    for (std::size_t i = 0; i < kStreamCount; ++i) {
      if (entry.offsets[i] != kNoOffset) mask = static_cast<StreamMask>(mask | bit(i));
    }
    while (const auto message = run.next()) {
      entry.number = number_of(*message);
      if (entry.number == kNoNumber) return entries;
      if (sent_[entry.number].streams != mask) {
        fail(fmt::format("message {} is in other streams than it should", entry.number));
      }
      entry.received = message->received;
      entries.push_back(entry);
      for (std::uint64_t& offset : entry.offsets) offset += offset != kNoOffset ? 1U : 0U;
    }
  }
  return entries;
}

// Messages are stored in the order of their arrival, each arrival once at most, and with the time
// at which the node took its packet. One that was never reported may be gone after a crash and be
// back after the next: a block of it that a failed write left behind was void only as long as the
// segment that was to hold it instead.
void Oracle::must_have_arrived(const std::vector<Entry>& entries) {
  const auto is = [](const Arrival& arrival, const Entry& entry) {
    return arrival.number == entry.number && arrival.received == entry.received;
  };
  for (const Entry& entry : entries) {
    while (next_arrival_ < arrivals_.size() && !is(arrivals_[next_arrival_], entry)) {
      ++next_arrival_;
    }
    if (next_arrival_ == arrivals_.size()) {
      return fail(
          fmt::format("message {} is stored twice, out of order, with another time ({}) or "
                      "never came",
                      entry.number, entry.received));
    }
    ++next_arrival_;
  }
}

void Oracle::keep(const BlockHeader& header, SlotIndex slot, const std::vector<Entry>& entries) {
  must_have_arrived(entries);
  if (header.sequence < next_block_ || (header.sequence > next_block_ && !expects_damage())) {
    return fail(fmt::format("block {} comes where {} should", header.sequence, next_block_));
  }
  next_block_ = header.sequence + 1;
  blocks_[header.sequence] = {.crc = header.crc,
                              .first = journal_.entries().size(),
                              .messages = entries.size(),
                              .durable = header.durable_sequence,
                              .slot = slot,
                              .position = header.position,
                              .bytes = header.length};
  for (const Entry& entry : entries) {
    if (std::string wrong = journal_.add(entry, expects_damage()); !wrong.empty()) {
      fail(std::move(wrong));
    }
  }
}

void Oracle::reported(const Block& block, SlotIndex slot) {
  const BlockHeader& header = block.header;
  const auto entries = entries_in(block.bytes.first(header.length));
  reported_messages_ += entries.size();
  trace(header.crc ^ header.sequence);
  keep(header, slot, entries);
}

// ---- What is found ------------------------------------------------------------------------------

bool Oracle::is_damaged(std::uint64_t block) const {
  const auto known = blocks_.find(block);
  if (lying_drive_ == nullptr || known == blocks_.end()) return false;
  const Stored& stored = known->second;
  if (stored.lost || stored.stand_in) return true;
  const int file = static_cast<int>(stored.slot.value) + 1;
  return lying_drive_->is_damaged(file, 0, kPageBytes) ||
         lying_drive_->is_damaged(file, std::uint64_t{stored.position} * kPageBytes, stored.bytes);
}

// Where the log ends for who cannot know better: at the first damaged block that no whole one says
// to have been durable.
std::uint64_t Oracle::unproven_from() const {
  std::uint64_t proven = 0;
  for (const auto& [sequence, stored] : blocks_) {
    if (!is_damaged(sequence)) proven = std::max(proven, stored.durable);
  }
  for (auto it = blocks_.lower_bound(proven); it != blocks_.end(); ++it) {
    if (is_damaged(it->first)) return it->first;
  }
  return kNoNumber;
}

void Oracle::check_findings(const RecoveredVolume& recovered) {
  for (const Finding& finding : recovered.findings) {
    // What a crash may leave. The rest would be damage, and an honest drive damages nothing that is
    // stable.
    if (finding.kind == Finding::Kind::kTornTail || expects_damage()) continue;
    fail(fmt::format("recovery finds {}: {}", to_string(finding.kind), finding.what));
  }
}

void Oracle::check_block_found(const BlockHeader& header, SlotIndex slot,
                               std::span<const std::byte> block) {
  const auto entries = entries_in(block);
  verified_ += entries.size();
  const auto known = blocks_.find(header.sequence);
  if (known != blocks_.end()) {
    Stored& stored = known->second;
    const auto expected = std::span(journal_.entries()).subspan(stored.first, stored.messages);
    if (stored.crc != header.crc && is_damaged(header.sequence)) {
      // Of a block that was written twice, because a write failed, the void copy may stand in for
      // the other one, as long as it is there: it never was durable. Any other block is void,
      // though what said so is damaged.
      if (!std::ranges::equal(expected, entries)) {
        stored.lost = true;
        return;
      }
      stored.stand_in = true;
      stored.crc = header.crc;
      stored.slot = slot;
      stored.position = header.position;
    }
    if (stored.crc != header.crc || !std::ranges::equal(expected, entries)) {
      fail(
          fmt::format("block {} at page {} of slot {} is not the one reported durable, at page {} "
                      "of slot {}",
                      header.sequence, header.position, slot, stored.position, stored.slot));
    }
    return;
  }
  // Written when the crash came and never reported: it may be there, and then stays.
  keep(header, slot, entries);
}

// Blocks of [begin, end) were not found.
void Oracle::check_missing(std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t unproven = expects_damage() ? unproven_from() : kNoNumber;
  for (auto it = blocks_.lower_bound(begin); it != blocks_.end() && it->first < end; ++it) {
    if (journal_.is_retired(it->first)) continue;
    if (is_damaged(it->first) || it->first >= unproven) {
      it->second.lost = true;  // for good, also when its slot is used again
      continue;
    }
    return fail(fmt::format("block {} was reported durable and is not there (of {} to {})",
                            it->first, blocks_.begin()->first, blocks_.rbegin()->first));
  }
}

void Oracle::check_log_start(const LogStart& start) {
  const std::uint64_t next = start.next_sequence.value;
  if (expects_damage()) {
    // What ended there is cut off; what was behind it and could still be read is not given again.
    check_missing(next, kNoNumber);
    blocks_.erase(blocks_.lower_bound(next), blocks_.end());
    journal_.cut(next);
  } else if (!blocks_.empty() && next != next_block_) {
    fail(fmt::format("the log goes on with block {} and not {}", next, next_block_));
  }
  next_block_ = next;
  for (std::size_t i = 0; i < kStreamCount; ++i) {
    const auto known =
        std::ranges::find(start.partitions, kStreamIds[i], &LogStart::Partition::stream);
    const bool is_new = known == start.partitions.end();
    const std::uint64_t offset = (is_new ? start.new_partitions : known->next_offset).value;
    const std::uint64_t expected = journal_.next_offset(i);
    if (offset == expected || (offset > expected && expects_damage())) continue;
    fail(fmt::format("stream {} goes on with offset {} and not {}", i, offset, expected));
  }
}

void Oracle::check_segment(VolumeDevice& device, const SegmentHeader& segment, std::uint64_t end) {
  SegmentScan scan(device, segment);
  std::uint64_t at = segment.base_sequence;
  std::optional<std::uint32_t> previous_crc = segment.previous_crc;
  while (at < end && !failed()) {
    auto found = scan.here();
    const bool here = found && *found && (*found)->header.sequence == at &&
                      (!previous_crc || (*found)->header.previous_crc == *previous_crc);
    if (!here) {
      // Behind a damaged block the next whole one counts.
      if (!found || !expects_damage()) return;
      found = scan.search(scan.position() + 1);
      if (!found || !*found) return;
      scan.go_to((*found)->position);
      previous_crc.reset();
    }
    const BlockHeader& header = (*found)->header;
    scan.step_over(**found);
    if (header.sequence < at || header.sequence >= end) continue;
    at = header.sequence + 1;
    previous_crc = header.crc;
    if (header.sequence < accounted_) continue;
    check_missing(accounted_, header.sequence);
    check_block_found(header, SlotIndex(segment.slot), (*found)->bytes);
    accounted_ = at;
  }
}

void Oracle::check(Volume& volume, const RecoveredVolume& recovered) {
  check_findings(recovered);
  const auto log = recovered.logs.find(LogNumber(0));
  const std::size_t segments = log == recovered.logs.end() ? 0 : log->second.segments.size();
  accounted_ = 0;
  for (std::size_t i = 0; i < segments; ++i) {
    const std::uint64_t end = i + 1 < segments ? log->second.segments[i + 1].header.base_sequence
                                               : log->second.start.next_sequence.value;
    check_segment(volume.device(), log->second.segments[i].header, end);
  }
  check_missing(accounted_, kNoNumber);
  if (log != recovered.logs.end() || expects_damage()) {
    check_log_start(log == recovered.logs.end() ? LogStart{} : log->second.start);
  }
}

}  // namespace penstock::sim
