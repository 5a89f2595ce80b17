// A small volume in memory of which all is known: every message, and what every byte belongs to. It
// has a past: its slots were used before, and snapshots of what they held then are kept. Damaged at
// will, it is judged by what verify, recovery and readers make of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/read/log_reader.h"
#include "storage/recover/verify.h"
#include "tests/lib/log_forge.h"

namespace penstock {

// A structure that is written and checked as one, and the messages that are lost with it.
struct Piece {
  enum class Kind : std::uint8_t {
    kSuperblock,
    kCatalogue,
    kHeader,
    kBlock,
    kLastBlock,  // of a log, without messages: nothing behind it says that it was durable
    kIndex,      // with the zeros behind it
    kFooter,
    kBlank,   // never written to since its slot was made
    kUnused,  // behind a log's end: may hold what was there before, and nothing says what
  };
  Kind kind;
  std::uint32_t slot;  // or kVolumeHead
  std::uint64_t begin;
  std::uint64_t end;
  LogNumber log{0};
  std::uint64_t first = 0;  // messages [first, next)
  std::uint64_t next = 0;
};

struct KnownLog {
  std::uint64_t first = 0;            // oldest message that is kept
  std::vector<std::string> payloads;  // by offset, those of retired segments too
};

struct Verdict {
  std::string wrong;  // empty: nothing is
  bool opened = false;
  std::vector<Finding> findings;                 // of verify
  std::vector<std::vector<std::uint64_t>> lost;  // by log: messages that are not read
};

class KnownVolume {
 public:
  static constexpr std::uint32_t kLogs = 2;

  // Two with different numbers differ by nothing but their identity.
  explicit KnownVolume(std::uint8_t number = 7);

  [[nodiscard]] const MemoryDrive& drive() const { return drive_; }
  // The drive as it was, oldest first.
  [[nodiscard]] const std::vector<MemoryDrive>& past() const { return past_; }
  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }

  // What is found on a drive that was this one and has been damaged.
  [[nodiscard]] Verdict judge(MemoryDrive& drive) const;

 private:
  struct Writer {
    Writer(Volume& volume, LogNumber number) : log(number), forge(volume, number) {}
    LogNumber log;
    LogForge forge;
    std::uint64_t segment_first = 0;
    std::uint64_t oldest = 1;  // segment that is kept
  };

  void begin(Writer& writer, std::uint32_t slot);
  void block(Writer& writer, std::uint64_t messages, std::vector<std::string> streams = {"all"});
  void close(Writer& writer);
  void mark_end(Writer& writer);
  void retire(Writer& writer, std::uint32_t slot);
  void add_head_pieces();
  void read_log(Volume& volume, LogNumber log, const RecoveredVolume& recovered,
                Verdict& verdict) const;

  MemoryDrive drive_;
  Volume volume_;
  std::vector<MemoryDrive> past_;
  std::vector<Piece> pieces_;
  std::vector<KnownLog> logs_{kLogs};
};

}  // namespace penstock
