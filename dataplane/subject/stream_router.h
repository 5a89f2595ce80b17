// Which streams capture a subject.
#pragma once

#include <expected>
#include <functional>

#include "dataplane/ledger/fates.h"
#include "dataplane/subject/routing.h"
#include "storage/log/capture_table.h"

namespace penstock {

// One thread. Nothing is allocated after construction.
class StreamRouter {
 public:
  // Makes known a set of streams, by their places in the routing, in ascending order; nothing when
  // the log has no room for it. The same set may come again and again.
  using AddSet = std::function<std::optional<CaptureSetId>(std::span<const std::uint32_t> streams)>;

  // The routing outlives its use here.
  StreamRouter(const Routing& routing, AddSet add_set)
      : routing_(&routing), add_set_(std::move(add_set)) {}

  // Another version from now on. What match() said before may be otherwise now: who keeps it looks
  // at version().
  void adopt(const Routing& routing) {
    routing_ = &routing;
    ++version_;
  }
  [[nodiscard]] const Routing& routing() const { return *routing_; }
  [[nodiscard]] std::uint64_t version() const { return version_; }

  // The set of all streams that capture the subject, or why there is none: kNoStream, or
  // kCapturesFull, also where more streams capture it than one message can have.
  [[nodiscard]] std::expected<CaptureSetId, MessageFate> match(std::string_view subject) const;

 private:
  const Routing* routing_;
  AddSet add_set_;
  std::uint64_t version_ = 0;
};

}  // namespace penstock
