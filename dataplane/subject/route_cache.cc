#include "dataplane/subject/route_cache.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace penstock {

RouteCache::RouteCache(std::size_t key_bytes_max, std::size_t subject_bytes_max, std::uint64_t seed,
                       std::size_t entries)
    : key_bytes_max_(key_bytes_max),
      stride_(key_bytes_max + subject_bytes_max),
      rng_(seed),
      secret_(make_hash_secret(rng_)) {
  const std::size_t bytes_each =
      stride_ + sizeof(Place) + sizeof(Set) / kWays + kHeardPerPlace * sizeof(std::uint32_t);
  const std::size_t sets = std::min(entries, kMemoryMax / bytes_each) / kWays;
  sets_.resize(std::bit_floor(std::max<std::size_t>(sets, 1)));
  places_.resize(sets_.size() * kWays);
  heard_.resize(places_.size() * kHeardPerPlace);
  text_.resize(places_.size() * stride_);
}

void RouteCache::clear() { std::ranges::fill(sets_, Set{}); }

const Route* RouteCache::find(std::span<const std::byte> key) {
  hash_ = hash(key, secret_);
  const std::size_t number = hash_ & (sets_.size() - 1);
  const std::uint32_t wanted = tag();
  Set& set = sets_[number];
  for (std::size_t way = 0; way < kWays; ++way) {
    if (set.tags[way] != wanted || !holds(number * kWays + way, key)) continue;
    if (set.worth[way] < kWorthMax) ++set.worth[way];
    return &places_[number * kWays + way].route;
  }
  return nullptr;
}

// kWays: none.
std::size_t RouteCache::place_for_new(Set& set) {
  const auto empty = std::ranges::find(set.tags, 0U);
  if (empty != set.tags.end()) return static_cast<std::size_t>(empty - set.tags.begin());
  std::uint32_t& heard = heard_[(hash_ >> 16U) & (heard_.size() - 1)];
  const std::uint64_t dice = rng_.next();
  if (heard != tag()) {
    if (dice % kHeardOneIn == 0) heard = tag();
    return kWays;
  }
  // Of several that are worth least any: else one that goes on sending would shield the others.
  std::size_t least = (dice >> 32U) % kWays;
  for (std::size_t way = 0; way < kWays; ++way) {
    if (set.worth[way] < set.worth[least]) least = way;
  }
  if (set.worth[least] == 0) return least;
  if (dice % kPatience == 0) --set.worth[least];
  return kWays;
}

const Route* RouteCache::keep(std::span<const std::byte> key, const Route& route) {
  CHECK_LE(key.size(), key_bytes_max_);
  const bool subject_is_key = stride_ == key_bytes_max_;
  if (subject_is_key) {
    CHECK_EQ(route.subject.size(), key.size());
  } else {
    CHECK_LE(route.subject.size(), stride_ - key_bytes_max_);
  }
  const std::size_t number = hash_ & (sets_.size() - 1);
  Set& set = sets_[number];
  const std::size_t way = place_for_new(set);
  if (way == kWays) {
    unkept_ = route;
    return &unkept_;
  }
  set.tags[way] = tag();
  set.worth[way] = 1;
  const std::size_t place = number * kWays + way;
  std::byte* text = text_of(place);
  std::ranges::copy(key, text);
  std::byte* subject = subject_is_key ? text : text + key_bytes_max_;
  if (!subject_is_key) std::memcpy(subject, route.subject.data(), route.subject.size());
  Place& kept = places_[place];
  kept.key_bytes = key.size();
  kept.route = {
      {reinterpret_cast<const char*>(subject), route.subject.size()},
      route.set
  };
  return &kept.route;
}

}  // namespace penstock
