// The streams of a simulated node.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "storage/format/format.h"

namespace penstock::sim {

inline constexpr std::size_t kStreamCount = 3;
inline constexpr std::size_t kLogs = 0;
inline constexpr std::size_t kErrors = 1;
inline constexpr std::size_t kLines = 2;

// Streams that hold a message: a bit each.
using StreamMask = std::uint8_t;
[[nodiscard]] constexpr StreamMask bit(std::size_t stream) {
  return static_cast<StreamMask>(1U << stream);
}

struct StreamSpec {
  std::string name;
  std::string filter;
};
// Long names, so that the catalogue is larger than a sector.
inline const std::array<StreamSpec, kStreamCount> kStreams{
    StreamSpec{"logs." + std::string(200,   'l'), "syslog.>"      },
    StreamSpec{"errors." + std::string(200, 'e'), "syslog.*.err.>"},
    StreamSpec{"lines." + std::string(200,  'n'), "lines.>"       }
};

[[nodiscard]] inline std::vector<StreamSpec> usual_streams() {
  return {kStreams.begin(), kStreams.end()};
}

inline const std::array<StreamId, kStreamCount> kStreamIds{
    stream_id(kStreams[0].name), stream_id(kStreams[1].name), stream_id(kStreams[2].name)};

}  // namespace penstock::sim
