// The outside observer of a simulated node: knows what was sent and what was reported durable, and
// judges what is found on the drive.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/log/log_writer.h"
#include "storage/recover/recovery.h"

namespace penstock::sim {

// A message's text ends in this mark and its number: "#" and 16 hexadecimal digits, then filler.
inline constexpr char kNumberMark = '#';

class Oracle {
 public:
  // A new message's text; the number is in it. Its number is the return value of next_number().
  [[nodiscard]] std::uint64_t next_number() const { return hashes_.size(); }
  void know(std::string_view text);
  // The message arrived at the port (again, when the network repeats it).
  void arrived(std::uint64_t number) { arrivals_.push_back(number); }

  // The log reported the block durable.
  void reported(const Block& block);
  // Retention may have deleted the blocks of [begin, end).
  void retired(std::uint64_t begin, std::uint64_t end);
  // Compares what a fresh process reads from the volume with what has to be there; what is found
  // besides has to be there from now on.
  void check(Volume& volume, const RecoveredVolume& recovered);

  void fail(std::string what);
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] bool failed() const { return !failure_.empty(); }
  [[nodiscard]] std::uint64_t verified() const { return verified_; }
  [[nodiscard]] std::uint64_t reported_messages() const { return reported_messages_; }
  [[nodiscard]] std::uint64_t trace() const { return trace_; }

 private:
  struct Stored {
    std::uint32_t crc = 0;
    bool retired = false;
    std::vector<std::uint64_t> numbers;
  };

  [[nodiscard]] std::vector<std::uint64_t> numbers_in(std::span<const std::byte> block);
  [[nodiscard]] std::uint64_t number_of(std::span<const std::byte> payload);
  void must_have_arrived(const std::vector<std::uint64_t>& numbers);
  void check_offsets(const BlockHeader& header, std::span<const std::byte> block);
  void check_block_found(const BlockHeader& header, std::span<const std::byte> block);
  void check_findings(const RecoveredVolume& recovered);

  std::vector<std::uint32_t> hashes_;       // by message number
  std::vector<std::uint64_t> arrivals_;     // message numbers in order of arrival
  std::size_t next_arrival_ = 0;            // behind the last message known to be stored
  std::map<std::uint64_t, Stored> blocks_;  // by sequence: what has to be there
  std::map<std::uint64_t, std::uint64_t> next_offsets_;  // by stream, while reading
  std::uint64_t reported_messages_ = 0;
  std::uint64_t verified_ = 0;
  std::uint64_t trace_ = 0;
  std::string failure_;
};

}  // namespace penstock::sim
