// A bounded memory of where messages go, by what their headers say.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <span>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/rng.h"
#include "dataplane/ledger/fates.h"
#include "storage/log/block_pool.h"

namespace penstock {

// Where a message goes: its subject, and the streams that capture it or why there are none.
struct Route {
  std::string_view subject;
  std::expected<CaptureSetId, MessageFate> set = std::unexpected(MessageFate::kNoStream);
};

// So that a known sender costs one lookup. One thread; all memory is taken by the constructor.
//
// A hash has four places. A new route takes an empty one. When there is none, it has to come again
// and again: some of those that are not kept are remembered as heard, and who was heard before
// takes the place that is worth nothing, or else makes the one that is worth least lose some. A
// place gains worth each time its route is found, up to a limit. So a flood of ever-new senders
// displaces nobody, and who stopped sending gives way to who began. The hash is keyed by a seed
// that no sender knows: nobody can aim at the places of another.
class RouteCache {
 public:
  static constexpr std::size_t kMemoryMax = 2 * kMiB;

  // Longer keys and subjects do not come. As many entries as fit kMemoryMax, `entries` at most, of
  // both a power of two. `subject_bytes_max` 0: each subject is its key, and is kept once.
  RouteCache(std::size_t key_bytes_max, std::size_t subject_bytes_max, std::uint64_t seed,
             std::size_t entries);

  [[nodiscard]] std::size_t capacity() const { return places_.size(); }

  // The route kept under these bytes, or nullptr. Valid until the next keep().
  [[nodiscard]] const Route* find(std::span<const std::byte> key);
  // Forgets all routes.
  void clear();
  // To be called with the key of the last find(), which was in vain. Keeps a copy of the route if
  // it gets a place. What it gives is valid until the next keep() or the end of the given subject.
  const Route* keep(std::span<const std::byte> key, const Route& route);

 private:
  static constexpr std::size_t kWays = 4;
  static constexpr std::uint8_t kWorthMax = 7;
  static constexpr std::uint64_t kPatience = 4;    // who came in vain until a place loses worth
  static constexpr std::uint64_t kHeardOneIn = 8;  // of who is not kept, so many are remembered
  static constexpr std::size_t kHeardPerPlace = 4;
  struct alignas(32) Set {
    std::array<std::uint32_t, kWays> tags{};  // the upper half of the hash; 0: empty
    std::array<std::uint8_t, kWays> worth{};  // 1 when kept, one more each time it was found
  };
  struct Place {
    Route route;
    std::size_t key_bytes = 0;
  };
  // Of the key last looked for.
  [[nodiscard]] std::uint32_t tag() const { return static_cast<std::uint32_t>(hash_ >> 32U) | 1U; }
  [[nodiscard]] std::size_t place_for_new(Set& set);
  [[nodiscard]] std::byte* text_of(std::size_t place) { return text_.data() + place * stride_; }
  [[nodiscard]] bool holds(std::size_t place, std::span<const std::byte> key) {
    return places_[place].key_bytes == key.size() &&
           std::memcmp(text_of(place), key.data(), key.size()) == 0;
  }

  std::size_t key_bytes_max_;
  std::size_t stride_;
  Rng rng_;
  HashSecret secret_;
  std::vector<Set> sets_;
  std::vector<Place> places_;
  std::vector<std::byte> text_;       // of each place: key, then subject unless it is the key
  std::vector<std::uint32_t> heard_;  // tags of some that were not kept
  std::uint64_t hash_ = 0;            // of the key last looked for
  Route unkept_;
};

}  // namespace penstock
