#include "tests/sim/journal.h"

#include <algorithm>

#include <fmt/format.h>

namespace penstock::sim {

std::string Journal::add(const Entry& entry) {
  for (std::size_t stream = 0; stream < kStreamCount; ++stream) {
    if (entry.offsets[stream] == kNoOffset) continue;
    if (entry.offsets[stream] != next_offset(stream)) {
      return fmt::format("block {}: offset {} of stream {} comes where {} should", entry.block,
                         entry.offsets[stream], stream, next_offset(stream));
    }
    streams_[stream].push_back(entries_.size());
  }
  entries_.push_back(entry);
  return "";
}

std::size_t Journal::size(View view) const {
  return view ? streams_[*view].size() : entries_.size();
}

const Entry& Journal::at(View view, std::size_t place) const {
  return entries_[view ? streams_[*view][place] : place];
}

std::size_t Journal::count_before(View view, std::uint64_t block) const {
  const auto first = std::ranges::lower_bound(entries_, block, {}, &Entry::block);
  const auto place = static_cast<std::size_t>(first - entries_.begin());
  if (!view) return place;
  const auto& stream = streams_[*view];
  return static_cast<std::size_t>(std::ranges::lower_bound(stream, place) - stream.begin());
}

std::size_t Journal::place_of(std::size_t stream, std::uint64_t offset) const {
  const auto& places = streams_[stream];
  const auto found = std::ranges::lower_bound(
      places, offset, {}, [&](std::size_t place) { return entries_[place].offsets[stream]; });
  return static_cast<std::size_t>(found - places.begin());
}

std::uint64_t Journal::next_offset(std::size_t stream) const {
  const auto& places = streams_[stream];
  return places.empty() ? 0 : entries_[places.back()].offsets[stream] + 1;
}

}  // namespace penstock::sim
