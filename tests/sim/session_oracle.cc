#include "tests/sim/session_oracle.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "storage/read/log_reader.h"

namespace penstock::sim {
namespace {

constexpr std::uint64_t kNoNumber = ~std::uint64_t{0};

}  // namespace

void SessionOracle::know_session(SessionNumber session, pdp::Level level) {
  sessions_[session].level = level;
}

void SessionOracle::appended(SessionNumber session, std::string_view subject,
                             std::span<const std::byte> payload) {
  messages_.push_back(
      {.session = session, .crc = crc32c(payload), .subject = std::string(subject)});
}

void SessionOracle::said(SessionNumber session, std::uint64_t end) {
  Session& known = sessions_.at(session);
  known.said_end = std::max(known.said_end, end);
}

void SessionOracle::accepted(SessionNumber session, std::uint64_t next) {
  Session& known = sessions_.at(session);
  if (known.started) return;
  known.started = true;
  known.start = next;
}

// ---- Acknowledgements ---------------------------------------------------------------------------

void SessionOracle::settled(SessionNumber session, const client::DeliveryReport& report,
                            std::uint64_t life) {
  Session& known = sessions_.at(session);
  for (std::uint32_t i = 0; i < report.messages; ++i) {
    const std::uint64_t number = report.opaques[i];
    const std::uint64_t sequence = report.sequence + i;
    trace(number * 8 + static_cast<std::uint64_t>(report.outcome));
    Message& message = messages_.at(number);
    if (message.fate != Fate::kOpen) fail(fmt::format("message {} is reported twice", number));
    message.fate = Fate::kSettled;
    if (report.outcome == client::Outcome::kAcknowledged) {
      acknowledge(known, sequence, number, life);
    } else if (report.outcome != client::Outcome::kSent && !report.may_be_stored) {
      message.fate = Fate::kNever;
      if (message.stored && !known.contested) {
        fail(fmt::format("message {} is stored and reported as {}", number,
                         client::name_of(report.outcome)));
      }
    }
  }
}

void SessionOracle::acknowledge(Session& session, std::uint64_t sequence, std::uint64_t number,
                                std::uint64_t life) {
  ++acknowledged_;
  if (session.contested || session.damaged) return;
  const auto stored = session.stored.find(sequence);
  if (stored != session.stored.end()) {
    if (stored->second.message != number) {
      fail(fmt::format("message {} is acknowledged as sequence {}, which is message {}", number,
                       sequence, stored->second.message));
    }
  } else if (session.level == pdp::Level::kDurable) {
    fail(fmt::format("message {} is acknowledged as sequence {} and is not durable", number,
                     sequence));
  } else if (life == life_) {
    session.pending.emplace(sequence, number);
  }
}

void SessionOracle::crashed(bool kept_written) {
  kept_written_ = kept_written;
  ++life_;
  for (auto& [number, session] : sessions_) {
    session.started = false;
    if (!kept_written || session.level != pdp::Level::kWritten) session.pending.clear();
  }
}

void SessionOracle::ended_in_order() {
  for (auto& [number, session] : sessions_) {
    if (session.contested || session.damaged) session.pending.clear();
    if (session.pending.empty()) continue;
    return fail(
        fmt::format("message {} was acknowledged as sequence {}, and was not stored when "
                    "the node ended in order",
                    session.pending.begin()->second, session.pending.begin()->first));
  }
}

void SessionOracle::check_lost(const ProducerTable& producers, std::uint64_t offered,
                               std::uint64_t lost) {
  std::uint64_t passed = 0;
  for (const auto& [number, session] : sessions_) {
    const auto known = producers.find(number);
    if (!known) continue;
    if (!session.started) return;  // nobody was told yet where it went on
    passed += producers.at(*known).next - session.start;
  }
  if (passed == offered + lost) return;
  fail(fmt::format("{} sequences were passed; {} messages were offered and {} lost", passed,
                   offered, lost));
}

// ---- What is stored -----------------------------------------------------------------------------

void SessionOracle::reported(const Block& block, SlotIndex slot) {
  trace(block.header.crc ^ block.header.sequence);
  reported_messages_ += block.header.message_count;
  take_block(block.header, slot, block.bytes.first(block.header.length), false);
}

void SessionOracle::take_block(const BlockHeader& header, SlotIndex slot,
                               std::span<const std::byte> bytes, bool found) {
  blocks_[header.sequence] = {.slot = slot,
                              .position = header.position,
                              .bytes = header.length,
                              .durable = header.durable_sequence};
  BlockReader reader(bytes);
  for (auto run = reader.next_run(); !run.empty(); run = reader.next_run()) {
    RunReader messages(run);
    std::uint64_t offset = 0;
    while (auto message = messages.next()) {
      if (!messages.producer()) return fail("a message of no session is stored");
      message->producer = {SessionNumber(messages.producer()->session),
                           messages.producer()->sequence + offset++};
      take_message(*message, header.sequence, found);
    }
    if (!messages.ok()) fail(fmt::format("a run of block {} is broken", header.sequence));
  }
}

bool SessionOracle::is_appended(const MessageView& message, SessionNumber session,
                                std::uint64_t number) {
  if (number >= messages_.size()) {
    fail("a message was never appended");
    return false;
  }
  const Message& sent = messages_[number];
  if (sent.session != session) {
    fail(fmt::format("message {} is in another session", number));
  } else if (sent.crc != crc32c(message.payload)) {
    fail(fmt::format("message {} has other bytes", number));
  } else if (sent.subject != message.subject) {
    fail(fmt::format("message {} has the subject '{}' and not '{}'", number, message.subject,
                     sent.subject));
  } else if (sent.fate == Fate::kNever && !sessions_.at(session).contested) {
    fail(fmt::format("message {} is stored, and was reported as one that is not", number));
  } else {
    return true;
  }
  return false;
}

void SessionOracle::take_message(const MessageView& message, std::uint64_t block, bool found) {
  const auto known = sessions_.find(message.producer->session);
  if (known == sessions_.end()) return fail("a session is none");
  Session& session = known->second;
  const std::uint64_t sequence = message.producer->sequence;
  const std::uint64_t number =
      message.key.size() == sizeof number ? load<std::uint64_t>(message.key) : kNoNumber;
  if (!is_appended(message, known->first, number)) return;
  std::uint64_t& end = found ? session.walked_end : session.end;
  const std::uint64_t behind = found ? end : std::max(end, session.start);
  if (sequence < behind && session.level != pdp::Level::kNone) {
    return fail(fmt::format("message {}, sequence {}, is stored behind sequence {}", number,
                            sequence, behind - 1));
  }
  end = std::max(end, sequence + 1);
  const auto there = session.stored.find(sequence);
  const bool is_known = there != session.stored.end() && !there->second.gone;
  if (!found && is_known) {
    return fail(fmt::format("sequence {} is stored twice: messages {} and {}", sequence, number,
                            there->second.message));
  }
  if (!is_known) keep(session, sequence, number, block);
  if (!found) return;
  ++found_;
  ++verified_;
  Stored& stored = session.stored.at(sequence);
  if (stored.found == checks_) return fail(fmt::format("sequence {} is found twice", sequence));
  stored.found = checks_;
  stored.block = block;
  if (stored.message != number) {
    fail(fmt::format("sequence {} is message {} and not {}", sequence, number, stored.message));
  }
}

void SessionOracle::keep(Session& session, std::uint64_t sequence, std::uint64_t number,
                         std::uint64_t block) {
  Message& message = messages_[number];
  if (message.stored && !session.contested && !session.damaged) {
    return fail(fmt::format("message {} is stored twice, now as sequence {}", number, sequence));
  }
  message.stored = true;
  session.stored[sequence] = {.message = number, .block = block};
  const auto pending = session.pending.find(sequence);
  if (pending == session.pending.end()) return;
  if (pending->second != number && !session.contested && !session.damaged) {
    fail(fmt::format("message {} was acknowledged as sequence {}, which is message {}",
                     pending->second, sequence, number));
  }
  session.pending.erase(pending);
}

// ---- What is found ------------------------------------------------------------------------------

bool SessionOracle::is_damaged(std::uint64_t block) const {
  const auto known = blocks_.find(block);
  if (lying_drive_ == nullptr || known == blocks_.end()) return false;
  const BlockAt& at = known->second;
  const int file = static_cast<int>(at.slot.value) + 1;
  return at.lost || lying_drive_->is_damaged(file, 0, kPageBytes) ||
         lying_drive_->is_damaged(file, std::uint64_t{at.position} * kPageBytes, at.bytes);
}

std::uint64_t SessionOracle::unproven_from() const {
  if (lying_drive_ == nullptr) return kNoNumber;
  std::uint64_t proven = 0;
  for (const auto& [sequence, at] : blocks_) {
    if (!is_damaged(sequence)) proven = std::max(proven, at.durable);
  }
  for (auto it = blocks_.lower_bound(proven); it != blocks_.end(); ++it) {
    if (is_damaged(it->first)) return it->first;
  }
  return kNoNumber;
}

void SessionOracle::walk(VolumeDevice& device, const RecoveredLog& log, std::size_t number) {
  const SegmentHeader& segment = log.segments[number].header;
  const bool last = number + 1 == log.segments.size();
  const std::uint64_t end =
      last ? log.start.next_sequence.value : log.segments[number + 1].header.base_sequence;
  SegmentScan scan(device, segment);
  std::uint64_t at = segment.base_sequence;
  std::uint32_t previous_crc = segment.previous_crc;
  bool joined = true;  // previous_crc is that of the block before `at`
  while (at < end && !failed()) {
    auto found = scan.here();
    const bool here = found && *found && (*found)->header.sequence == at &&
                      (!joined || (*found)->header.previous_crc == previous_crc);
    if (!here) {
      // Behind a damaged block the next whole one counts, if the log did not end here.
      if (!found || lying_drive_ == nullptr) return;
      const bool ended =
          last ? !log.segments[number].closed && scan.position() >= end_of(log).position
               : joined && ended_before(log.segments, number, BlockSequence(at), previous_crc);
      if (ended) return;
      found = scan.search(scan.position() + 1);
      if (!found || !*found) return;
      scan.go_to((*found)->position);
      joined = false;
    }
    const BlockHeader header = (*found)->header;
    // What a crash left, where the log went on in a slot whose header the drive lost.
    const auto known = blocks_.find(header.sequence);
    if (!joined && known != blocks_.end() && known->second.slot.value != segment.slot) return;
    if (header.sequence >= at && header.sequence < end) {
      at = header.sequence + 1;
      previous_crc = header.crc;
      joined = true;
      take_block(header, SlotIndex(segment.slot), (*found)->bytes, true);
    }
    scan.step_over(**found);
  }
}

void SessionOracle::check(Volume& volume, const RecoveredVolume& recovered) {
  for (const Finding& finding : recovered.findings) {
    if (is_damage(finding) && lying_drive_ == nullptr) {
      fail(fmt::format("recovery finds {}: {}", to_string(finding.kind), finding.what));
    }
  }
  ++checks_;
  found_ = 0;
  for (auto& [number, session] : sessions_) session.walked_end = 0;
  const auto log = recovered.logs.find(LogNumber(0));
  const std::size_t segments = log == recovered.logs.end() ? 0 : log->second.segments.size();
  for (std::size_t i = 0; i < segments; ++i) {
    walk(volume.device(), log->second, i);
  }
  check_missing();
  check_next(log == recovered.logs.end() ? LogStart{} : log->second.start);
}

bool SessionOracle::may_be_missing(std::uint64_t block, std::uint64_t unproven) const {
  return block < retired_before_ || is_damaged(block) || block >= unproven;
}

void SessionOracle::check_missing() {
  const std::uint64_t unproven = unproven_from();
  for (auto& [number, session] : sessions_) {
    for (auto& [sequence, stored] : session.stored) {
      if (stored.gone || stored.found == checks_) continue;
      if (!may_be_missing(stored.block, unproven)) {
        return fail(fmt::format("message {}, sequence {}, was durable in block {} and is not there",
                                stored.message, sequence, stored.block));
      }
      stored.gone = true;
      session.damaged = session.damaged || stored.block >= retired_before_;
      if (blocks_.contains(stored.block)) blocks_[stored.block].lost = true;
    }
    if (session.contested || session.damaged) session.pending.clear();
    if (!session.pending.empty()) {
      return fail(fmt::format("message {} was acknowledged as written and is not there",
                              session.pending.begin()->second));
    }
  }
  if (unproven != kNoNumber) blocks_.erase(blocks_.lower_bound(unproven), blocks_.end());
}

void SessionOracle::check_next(const LogStart& start) {
  for (auto& [number, session] : sessions_) {
    const auto known = std::ranges::find(start.producers, number, &LogStart::Producer::session);
    const std::uint64_t next = known == start.producers.end() ? 0 : known->next_sequence;
    const std::uint64_t behind = std::max(session.walked_end, session.end);
    if (next < session.walked_end || (next < behind && lying_drive_ == nullptr)) {
      return fail(fmt::format(
          "session {} of level {} goes on with {}, its last run ends before {} ({})", number,
          static_cast<int>(session.level), next, session.end, session.walked_end));
    }
    if (next > std::max(session.said_end, behind)) {
      return fail(fmt::format("session {} goes on with {}, producers spoke of {}", number, next,
                              session.said_end));
    }
    // What its producer left out behind its last run only an index says, which a power cut may
    // take.
    session.end = std::max(session.walked_end, std::min(session.end, next));
    session.started = known != start.producers.end();
    session.start = next;
  }
}

void SessionOracle::check_reader(Volume& volume, const RecoveredVolume& recovered) {
  const auto log = recovered.logs.find(LogNumber(0));
  if (log == recovered.logs.end()) return;
  LogReader reader(volume, LogNumber(0), std::nullopt, log->second, end_of(log->second));
  std::uint64_t read = 0;
  for (;;) {
    const auto item = reader.next();
    if (!item) return fail("a reader fails: " + item.error().what);
    if (std::holds_alternative<AtEnd>(*item)) break;
    const auto* record = std::get_if<Record>(&*item);
    if (record == nullptr) {
      if (lying_drive_ == nullptr) fail("a reader tells of a gap: " + std::get<Gap>(*item).what);
      continue;
    }
    ++read;
    const MessageView& message = record->message;
    if (!message.producer) return fail("a reader gets a message of no session");
    const auto session = sessions_.find(message.producer->session);
    if (session == sessions_.end()) return fail("a reader gets a session that is none");
    const auto stored = session->second.stored.find(message.producer->sequence);
    if (stored == session->second.stored.end() || stored->second.found != checks_ ||
        message.key.size() != sizeof(std::uint64_t) ||
        stored->second.message != load<std::uint64_t>(message.key)) {
      return fail("a reader gets a message that is not in the log's blocks");
    }
    if (!is_appended(message, session->first, stored->second.message)) return;
  }
  if (read != found_) fail(fmt::format("a reader gets {} messages of {}", read, found_));
}

}  // namespace penstock::sim
