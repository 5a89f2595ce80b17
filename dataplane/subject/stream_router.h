// Which streams capture a subject.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/ledger/fates.h"
#include "storage/log/capture_table.h"
#include "storage/read/subject_filter.h"

namespace penstock {

struct Stream {
  std::string name;
  std::vector<SubjectFilter> filters;
};

// One thread. Nothing is allocated after construction: as many sets of streams are remembered as a
// log can hold, and what is captured by one more of them goes nowhere (kCapturesFull).
class StreamRouter {
 public:
  static constexpr std::size_t kStreamsMax = kCapturesMax;
  static constexpr std::size_t kSetsMax = CaptureTable::kSetsMax;

  // Makes known a set of streams (by their indices) that messages are captured by: each stream
  // alone at once, every other set when its first message comes; never the same one twice. A stream
  // that is refused alone takes no messages, nor does a set that it is in.
  using AddSet = std::function<Result<CaptureSetId>(std::span<const std::size_t> streams)>;

  // At most kStreamsMax streams.
  StreamRouter(std::vector<Stream> streams, AddSet add_set);

  // The set of all streams that capture the subject, or why there is none.
  [[nodiscard]] std::expected<CaptureSetId, MessageFate> match(std::string_view subject);

 private:
  using StreamBits = std::uint32_t;
  struct Known {
    StreamBits streams = 0;  // 0: empty
    CaptureSetId set;
  };
  std::expected<CaptureSetId, MessageFate> set_of(StreamBits streams);
  // Where the set is, or the empty place where it belongs.
  [[nodiscard]] Known& place_of(StreamBits streams);

  std::vector<Stream> streams_;
  AddSet add_set_;
  StreamBits refused_ = 0;
  std::vector<Known> known_;  // open addressing; never more than half full
  std::size_t sets_ = 0;
};

}  // namespace penstock
