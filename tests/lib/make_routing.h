// A routing from streams' names and the texts of their filters.
#pragma once

#include <initializer_list>

#include "dataplane/subject/routing.h"

namespace penstock::test {

struct NamedFilters {
  std::string name;
  std::vector<std::string> filters;
};

[[nodiscard]] inline Routing make_routing(const std::vector<NamedFilters>& named) {
  std::vector<Stream> streams;
  for (const auto& [name, filters] : named) {
    Stream stream{.name = name, .filters = {}, .place = streams.size()};
    for (const std::string& text : filters) {
      stream.filters.push_back(SubjectFilter::parse(text).value());
    }
    streams.push_back(std::move(stream));
  }
  Rng rng(1);
  return Routing(std::move(streams), rng);
}

}  // namespace penstock::test
