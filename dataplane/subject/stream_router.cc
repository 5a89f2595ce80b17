#include "dataplane/subject/stream_router.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/units.h"

namespace penstock {
namespace {

// Multiply-and-fold over 8-byte words (the core of wyhash, Wang Yi); for tables, not against
// attackers: who finds collisions only evicts its own kind of entries.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

std::uint64_t hash_bytes(std::span<const std::byte> bytes) {
  std::uint64_t h = bytes.size() * 0x9E3779B97F4A7C15ULL;
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    h = fold(h ^ word, 0xA0761D6478BD642FULL);
    bytes = bytes.subspan(8);
  }
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data(), bytes.size());
  return fold(h ^ word, 0xE7037ED1A0B428DBULL) | 1U;  // 0 marks an empty entry
}

}  // namespace

StreamRouter::StreamRouter(std::vector<Stream> streams, AddSet add_set)
    : streams_(std::move(streams)), add_set_(std::move(add_set)) {
  matched_.reserve(streams_.size());
}

std::optional<CaptureSetId> StreamRouter::match(std::string_view subject) {
  matched_.clear();
  for (std::size_t i = 0; i < streams_.size() && matched_.size() < kCapturesMax; ++i) {
    if (std::ranges::any_of(streams_[i].filters,
                            [&](const SubjectFilter& filter) { return filter.matches(subject); })) {
      matched_.push_back(i);
    }
  }
  if (matched_.empty()) return std::nullopt;
  const auto known = std::ranges::find(known_, matched_, &KnownSet::streams);
  if (known != known_.end()) return known->set;
  const auto set = add_set_(matched_);
  known_.push_back({matched_, set ? std::optional(*set) : std::nullopt});
  return known_.back().set;
}

RouteCache::RouteCache(std::size_t entries)
    : entries_(std::bit_ceil(std::max(entries, kWays))), mask_(entries_.size() - 1) {}

const Route* RouteCache::find(std::span<const std::byte> key) {
  hash_ = hash_bytes(key);
  for (std::size_t way = 0; way < kWays; ++way) {
    Entry& entry = entries_[(hash_ + way) & mask_];
    if (entry.hash != hash_ || entry.key_bytes != key.size() ||
        std::memcmp(entry.key.data(), key.data(), key.size()) != 0) {
      continue;
    }
    return &entry.route;
  }
  return nullptr;
}

const Route* RouteCache::keep(std::span<const std::byte> key, const Route& route) {
  if (key.size() > kKeyBytesMax || route.subject.size() > kSubjectBytesKept) {
    too_long_ = route;
    return &too_long_;
  }
  ++clock_;
  Entry* oldest = nullptr;
  for (std::size_t way = 0; way < kWays; ++way) {
    Entry& entry = entries_[(hash_ + way) & mask_];
    const auto age = static_cast<std::uint16_t>(clock_ - entry.age);
    if (entry.hash == 0) {
      oldest = &entry;
      break;
    }
    if (oldest == nullptr || age > static_cast<std::uint16_t>(clock_ - oldest->age))
      oldest = &entry;
  }
  oldest->hash = hash_;
  oldest->age = clock_;
  oldest->key_bytes = static_cast<std::uint16_t>(key.size());
  std::ranges::copy(key, oldest->key.begin());
  std::ranges::copy(route.subject, oldest->subject.begin());
  oldest->route = {
      {oldest->subject.data(), route.subject.size()},
      route.set
  };
  return &oldest->route;
}

}  // namespace penstock
