#include "dataplane/subject/stream_router.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"

namespace penstock {
namespace {

constexpr std::size_t kPlaces = 2 * StreamRouter::kSetsMax;
static_assert(std::has_single_bit(kPlaces));
static_assert(StreamRouter::kSetsMax == 4096 && CaptureTable::kPartitionsMax == 16384,
              "the help of MessageFate::kCapturesFull states both");

}  // namespace

StreamRouter::StreamRouter(std::vector<Stream> streams, AddSet add_set)
    : streams_(std::move(streams)), add_set_(std::move(add_set)), known_(kPlaces) {
  CHECK_LE(streams_.size(), kStreamsMax);
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    const StreamBits alone = StreamBits{1} << i;
    if (!set_of(alone)) refused_ |= alone;
  }
}

std::expected<CaptureSetId, MessageFate> StreamRouter::match(std::string_view subject) {
  StreamBits matched = 0;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    const bool captures = std::ranges::any_of(
        streams_[i].filters, [&](const SubjectFilter& filter) { return filter.matches(subject); });
    if (captures) matched |= StreamBits{1} << i;
  }
  if (matched == 0) return std::unexpected(MessageFate::kNoStream);
  if ((matched & refused_) != 0) return std::unexpected(MessageFate::kCapturesFull);
  return set_of(matched);
}

std::expected<CaptureSetId, MessageFate> StreamRouter::set_of(StreamBits streams) {
  Known& known = place_of(streams);
  if (known.streams != 0) return known.set;
  if (sets_ == kSetsMax) return std::unexpected(MessageFate::kCapturesFull);
  std::array<std::size_t, kStreamsMax> members;
  std::size_t count = 0;
  for (StreamBits left = streams; left != 0; left &= left - 1) {
    members[count++] = static_cast<std::size_t>(std::countr_zero(left));
  }
  const auto set = add_set_(std::span(members).first(count));
  if (!set) return std::unexpected(MessageFate::kCapturesFull);
  known = {streams, *set};
  ++sets_;
  return *set;
}

StreamRouter::Known& StreamRouter::place_of(StreamBits streams) {
  std::size_t at = streams * 0x9E3779B97F4A7C15ULL >> (64 - std::bit_width(kPlaces - 1));
  while (known_[at].streams != 0 && known_[at].streams != streams) at = (at + 1) % kPlaces;
  return known_[at];
}

}  // namespace penstock
