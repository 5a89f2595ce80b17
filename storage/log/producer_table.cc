#include "storage/log/producer_table.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace penstock {

ProducerTable::ProducerTable(std::size_t capacity, std::uint64_t key)
    : key_(key),
      entries_(capacity),
      places_(capacity == 0 ? 0 : std::bit_ceil(2 * capacity), kNone) {
  CHECK_LT(capacity, std::size_t{kNone});
  for (std::uint32_t i = 0; i < capacity; ++i) {
    entries_[i].newer = i + 1 < capacity ? i + 1 : kNone;
  }
  if (capacity != 0) free_ = 0;
}

std::size_t ProducerTable::home_of(SessionNumber session) const {
  std::uint64_t h = (session.value ^ key_) * 0x9E3779B97F4A7C15ULL;
  h = (h ^ (h >> 32U)) * 0xD6E8FEB86659FD93ULL;
  return (h ^ (h >> 32U)) & (places_.size() - 1);
}

// Where the session is, or the empty place where it would be: half of the places are empty.
std::size_t ProducerTable::place_of(SessionNumber session) const {
  std::size_t place = home_of(session);
  while (places_[place] != kNone && entries_[places_[place]].state.session != session) {
    place = (place + 1) & (places_.size() - 1);
  }
  return place;
}

std::optional<ProducerIndex> ProducerTable::find(SessionNumber session) const {
  if (size_ == 0) return std::nullopt;
  const std::uint32_t number = places_[place_of(session)];
  if (number == kNone) return std::nullopt;
  return ProducerIndex(number);
}

Result<ProducerIndex> ProducerTable::add(SessionNumber session, std::uint64_t next) {
  CHECK_LE(next, kProducerSequenceEnd);
  if (free_ == kNone && oldest_ != kNone) {
    evict(oldest_);
    ++forgotten_;
  }
  // Short enough to be no allocation.
  if (free_ == kNone) return fail(Errc::kNoSpace, "sessions: full");
  const std::size_t place = place_of(session);
  CHECK_EQ(places_[place], kNone);
  const std::uint32_t number = free_;
  free_ = entries_[number].newer;
  places_[place] = number;
  ++size_;
  Entry& entry = entries_[number];
  entry = {};
  entry.known = true;
  entry.state = {.session = session,
                 .next = next,
                 .placed = next,
                 .written = next,
                 .durable = next,
                 .last_used = UnixNanos(0)};
  entry.run_end = entry.logged_end = next;
  link_if_evictable(number);
  return ProducerIndex(number);
}

void ProducerTable::evict(std::uint32_t number) {
  unlink(number);
  const std::size_t mask = places_.size() - 1;
  std::size_t hole = place_of(entries_[number].state.session);
  places_[hole] = kNone;
  // Those behind it move up, so that no hole is between a session and its home.
  for (std::size_t at = (hole + 1) & mask; places_[at] != kNone; at = (at + 1) & mask) {
    const std::size_t home = home_of(entries_[places_[at]].state.session);
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    places_[hole] = std::exchange(places_[at], kNone);
    hole = at;
  }
  entries_[number].known = false;
  entries_[number].newer = free_;
  free_ = number;
  --size_;
}

void ProducerTable::link_if_evictable(std::uint32_t number) {
  Entry& entry = entries_[number];
  if (entry.evictable || entry.pins != 0 || entry.state.durable != entry.state.next) return;
  entry.evictable = true;
  entry.older = newest_;
  entry.newer = kNone;
  (newest_ == kNone ? oldest_ : entries_[newest_].newer) = number;
  newest_ = number;
}

void ProducerTable::unlink(std::uint32_t number) {
  Entry& entry = entries_[number];
  (entry.older == kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
  (entry.newer == kNone ? newest_ : entries_[entry.newer].older) = entry.older;
  entry.evictable = false;
}

void ProducerTable::pin(ProducerIndex producer) {
  Entry& entry = entries_[producer.value];
  ++entry.pins;
  if (entry.evictable) unlink(producer.value);
}

void ProducerTable::unpin(ProducerIndex producer) {
  Entry& entry = entries_[producer.value];
  CHECK_GT(entry.pins, 0U);
  --entry.pins;
  link_if_evictable(producer.value);
}

void ProducerTable::set_next(ProducerIndex producer, std::uint64_t sequence) {
  Producer& state = entries_[producer.value].state;
  CHECK_GE(sequence, state.next);
  CHECK_LE(sequence, kProducerSequenceEnd);
  for (std::uint64_t* mark : {&state.placed, &state.written, &state.durable}) {
    if (*mark == state.next) *mark = sequence;
  }
  state.next = sequence;
}

void ProducerTable::recall(SessionNumber session, std::uint64_t next, UnixNanos last_used) {
  const auto added = add(session, next);
  if (!added) return;  // there is room for none
  Entry& entry = entries_[added->value];
  entry.logged = true;
  entry.state.last_used = last_used;
}

void ProducerTable::place(ProducerIndex producer, std::uint64_t end) {
  Entry& entry = entries_[producer.value];
  entry.logged = true;
  if (end != 0) entry.state.placed = mark(entry, end);
}

void ProducerTable::write(ProducerIndex producer, std::uint64_t end) {
  if (end == 0) return;
  Entry& entry = entries_[producer.value];
  entry.state.written = mark(entry, end);
  CHECK_LE(entry.state.written, entry.state.placed);
}

void ProducerTable::make_durable(ProducerIndex producer, std::uint64_t end) {
  if (end == 0) return unpin(producer);
  Entry& entry = entries_[producer.value];
  entry.state.durable = mark(entry, end);
  entry.state.written = std::max(entry.state.written, entry.state.durable);
  CHECK_LE(entry.state.written, entry.state.placed);
  link_if_evictable(producer.value);
}

void ProducerTable::start_over() {
  for (Entry& entry : entries_) entry.state.placed = entry.state.written = entry.state.durable;
}

}  // namespace penstock
