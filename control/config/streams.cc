#include "control/config/streams.h"

namespace penstock {

std::shared_ptr<const Routing> routing_of(std::span<const StreamConfig> streams) {
  std::vector<Stream> routed;
  for (const StreamConfig& stream : streams) {
    Stream made{.name = stream.name, .filters = {}};
    for (const std::string& subject : stream.subjects) {
      made.filters.push_back(SubjectFilter::parse(subject).value());
    }
    routed.push_back(std::move(made));
  }
  Rng rng = Rng::from_kernel();
  return std::make_shared<Routing>(std::move(routed), rng);
}

}  // namespace penstock
