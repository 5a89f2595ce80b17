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
  std::uint32_t newlines = 0;         // between packed lines: no part of the messages
  std::uint32_t checksum_base = 0;    // one's complement sum without the stamps; unused without
                                      // checksums
};

// Messages of one packet: those that fill options.packed, or one.
[[nodiscard]] std::uint64_t messages_each(const Options& options);

// One template a source, each of so many messages. The error names the option that is wrong and
// what would be right.
[[nodiscard]] Result<std::vector<PacketTemplate>> make_templates(
    const Options& options, std::uint64_t messages, std::span<const std::byte, 6> from_ethernet);

// Writes sequence numbers first, first+1, ... into a copy of the template, checksum included.
void stamp(std::span<std::byte> packet, const PacketTemplate& made, std::uint64_t first,
           bool checksums);

}  // namespace penstock::blast
