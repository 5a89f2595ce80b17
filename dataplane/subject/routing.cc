#include "dataplane/subject/routing.h"

namespace penstock {
namespace {

std::vector<SubjectMatcher::Entry> entries_of(std::span<const Stream> streams) {
  std::vector<SubjectMatcher::Entry> entries;
  for (std::uint32_t i = 0; i < streams.size(); ++i) {
    for (const SubjectFilter& filter : streams[i].filters) entries.push_back({filter, i});
  }
  return entries;
}

}  // namespace

Routing::Routing(std::vector<Stream> streams, Rng& rng)
    : streams_(std::move(streams)), matcher_(entries_of(streams_), rng) {
  ids_.reserve(streams_.size());
  for (const Stream& stream : streams_) ids_.push_back(stream_id(stream.name));
}

}  // namespace penstock
