// CRC32C (Castagnoli, RFC 3720 appendix B.4) by ISA-L, which picks the processor's best code
// itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace penstock {

// The usual CRC32C of `bytes`: "123456789" gives 0xE3069283.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes);
// Continues a CRC over more bytes: crc32c(ab) == crc32c_extend(crc32c(a), b).
[[nodiscard]] std::uint32_t crc32c_extend(std::uint32_t crc, std::span<const std::byte> bytes);

}  // namespace penstock
