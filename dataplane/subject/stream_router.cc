#include "dataplane/subject/stream_router.h"

#include <algorithm>
#include <array>

namespace penstock {
namespace {

static_assert(CaptureTable::kSetsMax == 16384 && CaptureTable::kPartitionsMax == 16384 &&
                  kCapturesMax == 32,
              "the help of MessageFate::kCapturesFull states them");

// Streams that a subject is captured by, each once.
class Captures {
 public:
  void add(std::uint32_t stream) {
    if (size_ == streams_.size()) tidy();
    if (size_ == streams_.size()) {
      too_many_ = true;
    } else {
      streams_[size_++] = stream;
    }
  }
  // In ascending order; nothing when they are more than a message can have.
  [[nodiscard]] std::optional<std::span<const std::uint32_t>> all() {
    tidy();
    if (too_many_ || size_ > kCapturesMax) return std::nullopt;
    return std::span(streams_).first(size_);
  }

 private:
  // A stream comes once for each of its filters that match.
  void tidy() {
    const std::span known = std::span(streams_).first(size_);
    std::ranges::sort(known);
    size_ -= std::ranges::unique(known).size();
  }
  std::array<std::uint32_t, 2 * kCapturesMax> streams_;
  std::size_t size_ = 0;
  bool too_many_ = false;
};

}  // namespace

std::expected<CaptureSetId, MessageFate> StreamRouter::match(std::string_view subject) const {
  Captures captures;
  routing_->matcher().match(subject, [&](std::uint32_t stream) { captures.add(stream); });
  const auto streams = captures.all();
  if (!streams) return std::unexpected(MessageFate::kCapturesFull);
  if (streams->empty()) return std::unexpected(MessageFate::kNoStream);
  const auto set = add_set_(*streams);
  if (!set) return std::unexpected(MessageFate::kCapturesFull);
  return *set;
}

}  // namespace penstock
