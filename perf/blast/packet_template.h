// The packets that penstock-blast sends: built once, then only stamped.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "perf/blast/options.h"

namespace penstock::blast {

// One packet of a source, ready but for its sequence numbers.
struct PacketTemplate {
  std::vector<std::byte> bytes;
  std::vector<std::uint32_t> stamps;  // offsets of the 16 digits, one for each message
  std::uint32_t udp_at = 0;           // offset of the UDP header
  std::uint32_t checksum_base = 0;    // one's complement sum without the stamps; unused without
                                      // checksums
};

// One template a source. The error names the option that is wrong.
[[nodiscard]] Result<std::vector<PacketTemplate>> make_templates(
    const Options& options, std::span<const std::byte, 6> from_ethernet);

// Writes sequence numbers first, first+1, ... into a copy of the template, checksum included.
void stamp(std::span<std::byte> packet, const PacketTemplate& made, std::uint64_t first,
           bool checksums);

}  // namespace penstock::blast
