#include "base/crc32c.h"

#include <algorithm>
#include <limits>

#include <isa-l/crc.h>

namespace penstock {

std::uint32_t crc32c(std::span<const std::byte> bytes) { return crc32c_extend(0, bytes); }

std::uint32_t crc32c_extend(std::uint32_t crc, std::span<const std::byte> bytes) {
  // ISA-L takes the length as int and the register value, not the finished CRC: invert on both
  // ends.
  std::uint32_t state = ~crc;
  while (!bytes.empty()) {
    const auto chunk = bytes.first(
        std::min(bytes.size(), static_cast<std::size_t>(std::numeric_limits<int>::max())));
    // ISA-L only reads the buffer; its prototype lacks the const.
    auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(chunk.data()));
    state = crc32_iscsi(data, static_cast<int>(chunk.size()), state);
    bytes = bytes.subspan(chunk.size());
  }
  return ~state;
}

}  // namespace penstock
