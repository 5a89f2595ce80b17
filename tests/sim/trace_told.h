// What another process says of a seed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::sim {

// The trace that another process, with other addresses, tells of the seed in these tests; empty
// when they fail.
[[nodiscard]] std::string trace_told(std::uint64_t seed, std::string_view tests);

}  // namespace penstock::sim
