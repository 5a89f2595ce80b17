#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace penstock::detail {

void check_failed(const char* file, int line, const char* expression, std::string_view values) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s%s%.*s%s\n", file, line, expression,
               values.empty() ? "" : " (", static_cast<int>(values.size()), values.data(),
               values.empty() ? "" : ")");
  std::fflush(stderr);
  std::abort();
}

}  // namespace penstock::detail
