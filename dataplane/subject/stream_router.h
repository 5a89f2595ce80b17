// Which streams capture a subject, and a bounded memory of the answers.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/log/block_pool.h"
#include "storage/read/subject_filter.h"

namespace penstock {

struct Stream {
  std::string name;
  std::vector<SubjectFilter> filters;
};

// Where a message goes: its subject, and the streams that capture it, if any.
struct Route {
  std::string_view subject;
  std::optional<CaptureSetId> set;
};

// One thread.
class StreamRouter {
 public:
  // Makes known a set of streams (by their indices) that messages are captured by; called at most
  // once for each set. An error leaves the messages uncaptured.
  using AddSet = std::function<Result<CaptureSetId>(std::span<const std::size_t> streams)>;

  StreamRouter(std::vector<Stream> streams, AddSet add_set);

  [[nodiscard]] std::optional<CaptureSetId> match(std::string_view subject);

 private:
  struct KnownSet {
    std::vector<std::size_t> streams;
    std::optional<CaptureSetId> set;
  };
  std::vector<Stream> streams_;
  AddSet add_set_;
  std::vector<KnownSet> known_;
  std::vector<std::size_t> matched_;  // reused
};

// Remembers the route of what a message's header said, so that a known sender costs one lookup.
// Fixed memory: 4 places for each hash, the oldest of them gives way. A flood of ever-new senders
// costs their misses, nothing else.
class RouteCache {
 public:
  static constexpr std::size_t kKeyBytesMax = 104;
  static constexpr std::size_t kSubjectBytesKept = 132;

  explicit RouteCache(std::size_t entries = 4096);

  // The route kept under these bytes, or nullptr. Valid until the next keep().
  [[nodiscard]] const Route* find(std::span<const std::byte> key);
  // Keeps a route under the key of the last find(), if both are short enough; gives what can be
  // used now.
  const Route* keep(std::span<const std::byte> key, const Route& route);

 private:
  static constexpr std::size_t kWays = 4;
  struct Entry {
    std::uint64_t hash = 0;
    Route route;
    std::uint16_t key_bytes = 0;
    std::uint16_t age = 0;
    std::array<std::byte, kKeyBytesMax> key;
    std::array<char, kSubjectBytesKept> subject;
  };
  std::vector<Entry> entries_;
  std::size_t mask_;
  std::uint64_t hash_ = 0;  // of the key last looked for
  std::uint16_t clock_ = 0;
  Route too_long_;
};

}  // namespace penstock
