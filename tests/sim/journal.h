// What has to be on the drive of a simulated node: its messages in the order of the log.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "tests/sim/streams.h"

namespace penstock::sim {

inline constexpr std::uint64_t kNoOffset = ~std::uint64_t{0};

struct Entry {
  std::uint64_t number;  // of the message
  UnixNanos received;
  std::uint64_t block;                              // its sequence
  std::array<std::uint64_t, kStreamCount> offsets;  // kNoOffset: not in that stream

  bool operator==(const Entry&) const = default;
};

// Views are of all messages, or with a stream of those that it holds; places count from 0.
class Journal {
 public:
  using View = std::optional<std::size_t>;

  // Returns what is wrong with it; empty: nothing. Offsets may leap, once some were lost.
  [[nodiscard]] std::string add(const Entry& entry, bool may_leap);
  // Blocks from this one on are gone, and their places taken by others.
  void cut(std::uint64_t block);
  // Blocks before this one may be gone: retention took them.
  void retire_before(std::uint64_t block) { retired_before_ = std::max(retired_before_, block); }
  [[nodiscard]] bool is_retired(std::uint64_t block) const { return block < retired_before_; }

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] std::size_t size(View view) const;
  [[nodiscard]] const Entry& at(View view, std::size_t place) const;
  // How many of the view's messages are in blocks before this one.
  [[nodiscard]] std::size_t count_before(View view, std::uint64_t block) const;
  // The place of the first message of the view's stream with this offset or a higher one.
  [[nodiscard]] std::size_t place_of(std::size_t stream, std::uint64_t offset) const;
  // Where among all messages the one at this place of a stream is.
  [[nodiscard]] std::size_t place_in_all(std::size_t stream, std::size_t place) const {
    return streams_[stream][place];
  }
  [[nodiscard]] std::uint64_t next_offset(std::size_t stream) const;

 private:
  std::vector<Entry> entries_;
  std::array<std::vector<std::size_t>, kStreamCount> streams_;
  std::uint64_t retired_before_ = 0;
};

}  // namespace penstock::sim
