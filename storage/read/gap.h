// What a reader would have got between two records: told by a typed item, never left to guess.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"

namespace penstock {

enum class GapKind : std::uint8_t {
  kTrimmed,  // retired by retention
  kCorrupt,  // damaged blocks
  kLost,     // a segment is missing
};
[[nodiscard]] std::string_view to_string(GapKind kind);

// A stream's reader is told of a gap when messages of its stream are missing, or may be.
struct Gap {
  GapKind kind;
  LogNumber log;
  Offset first;  // offsets of the stream that are missing: [first, next); first == next: not known
  Offset next;
  std::string what;  // one line for people
};

// Follows the offsets of a stream. Something is missing as soon as it is noted; how much, the next
// message tells. At the end of the log a gap is told with its extent unknown, and once more when it
// is known.
class GapTracker {
 public:
  explicit GapTracker(LogNumber log) : log_(log) {}

  // The stream's next offset; messages before it were read or are not wanted. Nothing: not known.
  [[nodiscard]] const std::optional<Offset>& expected() const { return expected_; }
  void expect(Offset offset) { expected_ = offset; }

  void note(GapKind kind, std::string what);
  [[nodiscard]] bool has_noted() const { return noted_.has_value(); }
  // The stream goes on at `base`.
  void meet(Offset base);
  // Reading goes on, whatever the offset.
  void meet_any();
  // Nothing follows now.
  void meet_end();
  // Tells one whose extent is known already.
  void add(Gap gap) { gaps_.push_back(std::move(gap)); }

  // The next gap to tell.
  [[nodiscard]] std::optional<Gap> take();
  void clear();

 private:
  struct Noted {
    GapKind kind;
    std::string what;
    bool told = false;  // with its extent unknown
  };
  void tell(Offset first, Offset next);

  LogNumber log_;
  std::optional<Offset> expected_;
  std::optional<Noted> noted_;
  std::deque<Gap> gaps_;
};

}  // namespace penstock
