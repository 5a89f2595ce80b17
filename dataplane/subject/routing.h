// One version of a node's streams, as its shards route by it.
#pragma once

#include <string>
#include <vector>

#include "dataplane/subject/subject_matcher.h"
#include "storage/format/format.h"

namespace penstock {

struct Stream {
  std::string name;
  std::vector<SubjectFilter> filters;
  std::size_t place = 0;  // of its books in the ledger: the same in every version
};

// Immutable once made: all shards read it.
class Routing {
 public:
  Routing(std::vector<Stream> streams, Rng& rng);

  // The matcher's values are their places here.
  [[nodiscard]] std::span<const Stream> streams() const { return streams_; }
  [[nodiscard]] StreamId id(std::uint32_t stream) const { return ids_[stream]; }
  [[nodiscard]] const SubjectMatcher& matcher() const { return matcher_; }

 private:
  std::vector<Stream> streams_;
  std::vector<StreamId> ids_;
  SubjectMatcher matcher_;
};

}  // namespace penstock
