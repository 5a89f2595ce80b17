#include "tests/sim/journal.h"

#include <algorithm>

#include <fmt/format.h>

namespace penstock::sim {

std::string Journal::add(const Entry& entry, bool may_leap) {
  for (std::size_t stream = 0; stream < kStreamCount; ++stream) {
    if (entry.offsets[stream] == kNoOffset) continue;
    const std::uint64_t next = next_offset(stream);
    if (entry.offsets[stream] < next || (entry.offsets[stream] > next && !may_leap)) {
      return fmt::format("block {}: offset {} of stream {} comes where {} should", entry.block,
                         entry.offsets[stream], stream, next);
    }
    streams_[stream].push_back(entries_.size());
  }
  entries_.push_back(entry);
  return "";
}

void Journal::cut(std::uint64_t block) {
  const std::size_t end = count_before(std::nullopt, block);
  entries_.resize(end, Entry{});
  for (auto& stream : streams_) {
    while (!stream.empty() && stream.back() >= end) stream.pop_back();
  }
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
