// The outside observer of producers' sessions: knows which message was given to which session, what
// was acknowledged with which sequence, and judges what is found on the drive of the node.
//
// Of each session it demands:
// - no sequence twice in the log, and no message twice; in order, but for late frames of level none
// - each message is one that was appended to that session, with its bytes and its subject, and was
//   never reported as one that cannot be stored
// - what was acknowledged as durable is there, under the sequence of the acknowledgement, unless
//   retention took it or the drive damaged it
// - the session goes on behind its last run, and never behind what a producer said
//
// A session is contested once two producers are alive that say they are it: what one of them sent
// may then be acknowledged for the other, so its acknowledgements say nothing.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dataplane/client/session_options.h"
#include "storage/recover/segment_scan.h"
#include "storage/ring/sim_drive.h"
#include "tests/sim/judge.h"

namespace penstock::sim {

class SessionOracle final : public Judge {
 public:
  void know_session(SessionNumber session, pdp::Level level);
  void contest(SessionNumber session) { sessions_.at(session).contested = true; }

  // A new message; next_message() is its key.
  [[nodiscard]] std::uint64_t next_message() const { return messages_.size(); }
  void appended(SessionNumber session, std::string_view subject,
                std::span<const std::byte> payload);
  // A producer said, in any frame, that sequences up to this one exist.
  void said(SessionNumber session, std::uint64_t end);
  // What a producer was told, by a packet of the node's life `life`.
  void settled(SessionNumber session, const client::DeliveryReport& report, std::uint64_t life);
  // The node told a producer where its session goes on.
  void accepted(SessionNumber session, std::uint64_t next);

  // How the node's life ended. `kept_written`: what was written is there, since the drive did not
  // fail and had power.
  void crashed(bool kept_written);
  // All that the node took is durable.
  void ended_in_order();
  [[nodiscard]] std::uint64_t life() const { return life_; }
  // Sequences that the node passed in this life are messages that it was offered and lost ones.
  void check_lost(const ProducerTable& producers, std::uint64_t offered, std::uint64_t lost);
  // What a reader gets of the log is what the scan of its blocks found.
  void check_reader(Volume& volume, const RecoveredVolume& recovered);

  void expect_damage(const SimDrive& drive) { lying_drive_ = &drive; }

  void received(std::size_t packets, UnixNanos /*now*/) override { trace(packets); }
  void reported(const Block& block, SlotIndex slot) override;
  void retired_before(std::uint64_t block) override {
    retired_before_ = std::max(retired_before_, block);
  }
  void check(Volume& volume, const RecoveredVolume& recovered) override;
  void fail(std::string what) override {
    if (failure_.empty()) failure_ = std::move(what);
  }
  [[nodiscard]] std::uint64_t reported_messages() const override { return reported_messages_; }

  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] bool failed() const { return !failure_.empty(); }
  [[nodiscard]] std::uint64_t verified() const { return verified_; }
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  void trace(std::uint64_t value) { trace_ = (trace_ ^ value) * 0x9E3779B97F4A7C15ULL; }
  [[nodiscard]] std::uint64_t trace() const { return trace_; }

 private:
  enum class Fate : std::uint8_t { kOpen, kSettled, kNever };
  struct Message {
    SessionNumber session;
    std::uint32_t crc;
    std::string subject;
    Fate fate = Fate::kOpen;
    bool stored = false;
  };
  struct Stored {
    std::uint64_t message = 0;
    std::uint64_t block = 0;
    bool gone = false;        // by retention or damage, for good
    std::uint64_t found = 0;  // the last check that saw it
  };
  struct Session {
    pdp::Level level = pdp::Level::kDurable;
    bool contested = false;
    bool damaged = false;                    // the drive lost some of it
    std::map<std::uint64_t, Stored> stored;  // by sequence: what has to be there
    std::uint64_t end = 0;                   // behind its last run
    std::uint64_t said_end = 0;
    std::uint64_t start = 0;  // where it went on in this life of the node
    bool started = false;
    // Acknowledged below durable in this life, and not known to be stored.
    std::map<std::uint64_t, std::uint64_t> pending;
    std::uint64_t walked_end = 0;  // of the check under way
  };
  struct BlockAt {
    SlotIndex slot{0};
    std::uint32_t position = 0;
    std::uint32_t bytes = 0;
    std::uint64_t durable = 0;
    bool lost = false;
  };

  void take_block(const BlockHeader& header, SlotIndex slot, std::span<const std::byte> bytes,
                  bool found);
  void take_message(const MessageView& message, std::uint64_t block, bool found);
  [[nodiscard]] bool is_appended(const MessageView& message, SessionNumber session,
                                 std::uint64_t number);
  void keep(Session& session, std::uint64_t sequence, std::uint64_t number, std::uint64_t block);
  void walk(VolumeDevice& device, const RecoveredLog& log, std::size_t number);
  void check_missing();
  void check_next(const LogStart& start);
  [[nodiscard]] bool may_be_missing(std::uint64_t block, std::uint64_t unproven) const;
  [[nodiscard]] bool is_damaged(std::uint64_t block) const;
  [[nodiscard]] std::uint64_t unproven_from() const;
  void acknowledge(Session& session, std::uint64_t sequence, std::uint64_t number,
                   std::uint64_t life);

  std::vector<Message> messages_;
  std::map<SessionNumber, Session> sessions_;
  std::map<std::uint64_t, BlockAt> blocks_;
  const SimDrive* lying_drive_ = nullptr;
  std::uint64_t retired_before_ = 0;
  std::uint64_t life_ = 0;
  bool kept_written_ = false;
  std::uint64_t checks_ = 0;
  std::uint64_t found_ = 0;  // messages, by the check under way
  std::uint64_t reported_messages_ = 0;
  std::uint64_t verified_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t trace_ = 0;
  std::string failure_;
};

}  // namespace penstock::sim
