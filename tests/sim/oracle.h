// The outside observer of a simulated node: knows what was sent and what was reported durable, and
// judges what is found on the drive.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/ring/sim_drive.h"
#include "tests/sim/journal.h"
#include "tests/sim/judge.h"

namespace penstock::sim {

// A message's text ends in this mark and its number: "#" and 16 hexadecimal digits, then filler.
inline constexpr char kNumberMark = '#';

// A message as its sender meant it.
struct Meant {
  std::string text;
  std::string subject;
  StreamMask streams;
  MessageFlag flags = MessageFlag::kNone;
};

class Oracle final : public Judge {
 public:
  // A new message; next_number() is in its text.
  [[nodiscard]] std::uint64_t next_number() const { return sent_.size(); }
  void know(const Meant& meant);

  // The port took another packet; with it the message arrived (again, when the network repeats it).
  void fed() { ++packets_fed_; }
  void arrived(std::uint64_t number) { arrivals_.push_back({number, packets_fed_, UnixNanos(0)}); }
  // The node took so many of the packets fed, or none of those will ever be taken.
  void received(std::size_t packets, UnixNanos now) override;
  void lost_the_rest();

  // The drive may damage what it has: what it damaged need not be there, if somebody says so.
  void expect_damage(const SimDrive& drive) { lying_drive_ = &drive; }
  [[nodiscard]] bool expects_damage() const { return lying_drive_ != nullptr; }

  void reported(const Block& block, SlotIndex slot) override;
  void retired_before(std::uint64_t block) override { journal_.retire_before(block); }
  // Compares what a fresh process reads from the volume with what has to be there; what is found
  // besides has to be there from now on.
  void check(Volume& volume, const RecoveredVolume& recovered) override;
  // Whether it is the message of that number as its sender meant it; fails if not.
  [[nodiscard]] bool check_message(std::uint64_t number, const MessageView& message);
  [[nodiscard]] const Journal& journal() const { return journal_; }
  // Whether the drive has damaged the block, or what says where it is.
  [[nodiscard]] bool is_damaged(std::uint64_t block) const;

  void fail(std::string what) override;
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] bool failed() const { return !failure_.empty(); }
  [[nodiscard]] std::uint64_t verified() const { return verified_; }
  [[nodiscard]] std::uint64_t reported_messages() const override { return reported_messages_; }
  void trace(std::uint64_t value) { trace_ = (trace_ ^ value) * 0x9E3779B97F4A7C15ULL; }
  [[nodiscard]] std::uint64_t trace() const { return trace_; }

 private:
  struct Sent {
    std::uint32_t crc;
    std::uint32_t subject;  // in subjects_
    StreamMask streams;
    MessageFlag flags;
  };
  struct Arrival {
    std::uint64_t number;
    std::uint64_t packet;  // the one that brought it, counted from 1
    UnixNanos received;    // by the node; 0: not yet or never
  };
  struct Stored {
    std::uint32_t crc = 0;
    std::size_t first = 0;  // place of its first message in the journal
    std::size_t messages = 0;
    std::uint64_t durable = 0;  // it says that blocks before this one were durable
    SlotIndex slot{0};
    std::uint32_t position = 0;  // pages
    std::uint32_t bytes = 0;
    bool lost = false;      // by damage
    bool stand_in = false;  // its place is that of a copy that was never durable
  };

  [[nodiscard]] std::vector<Entry> entries_in(std::span<const std::byte> block);
  [[nodiscard]] Entry entry_of(const BlockHeader& header, const RunReader& run);
  [[nodiscard]] std::uint64_t number_of(const MessageView& message);
  void must_have_arrived(const std::vector<Entry>& entries);
  void keep(const BlockHeader& header, SlotIndex slot, const std::vector<Entry>& entries);
  void check_findings(const RecoveredVolume& recovered);
  void check_segment(VolumeDevice& device, const SegmentHeader& segment, std::uint64_t end);
  void check_block_found(const BlockHeader& header, SlotIndex slot,
                         std::span<const std::byte> block);
  void check_missing(std::uint64_t begin, std::uint64_t end);
  [[nodiscard]] std::uint64_t unproven_from() const;
  void check_log_start(const LogStart& start);

  std::vector<Sent> sent_;  // by message number
  std::vector<std::string> subjects_;
  std::map<std::string, std::uint32_t, std::less<>> subject_numbers_;
  std::vector<Arrival> arrivals_;  // in order
  std::size_t next_arrival_ = 0;   // behind the last message known to be stored
  std::size_t received_arrivals_ = 0;
  std::uint64_t packets_fed_ = 0;
  std::uint64_t packets_received_ = 0;
  Journal journal_;
  std::map<std::uint64_t, Stored> blocks_;  // by sequence: what has to be there
  std::uint64_t accounted_ = 0;             // blocks before it, while looking for them
  std::uint64_t next_block_ = 0;            // the log's next one has to be this
  const SimDrive* lying_drive_ = nullptr;
  std::uint64_t reported_messages_ = 0;
  std::uint64_t verified_ = 0;
  std::uint64_t trace_ = 0;
  std::string failure_;
};

}  // namespace penstock::sim
