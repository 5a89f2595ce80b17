// Pages that carry one structure and its checksum: superblock, segment header and footer.
#pragma once

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/result.h"
#include "storage/format/format.h"

namespace penstock {

// T has the fields magic, crc and version. The checksum covers the page with crc zero.
template <class T>
void encode_page(std::span<std::byte> page, T value, std::uint64_t magic) {
  CHECK_EQ(page.size(), std::size_t{kPageBytes});
  value.magic = magic;
  value.version = kFormatVersion;
  value.crc = 0;
  std::memset(page.data(), 0, page.size());
  store(page, 0, value);
  value.crc = crc32c(page);
  store(page, 0, value);
}

// kNotFound: an all-zero page; kUnsupportedVersion; kCorrupt with the reason.
template <class T>
Result<T> decode_page(std::span<const std::byte> page, std::uint64_t magic, std::string_view what) {
  CHECK_EQ(page.size(), std::size_t{kPageBytes});
  const auto value = load<T>(page);
  if (all_zero(page)) {
    return fail(Errc::kNotFound, fmt::format("{}: blank", what));
  }
  if (value.magic != magic) return fail(Errc::kCorrupt, fmt::format("{}: bad magic", what));
  std::array<std::byte, kPageBytes> copy;
  std::ranges::copy(page, copy.begin());
  store(std::span<std::byte>(copy), offsetof(T, crc), std::uint32_t{0});
  if (crc32c(copy) != value.crc) return fail(Errc::kCorrupt, fmt::format("{}: bad checksum", what));
  if (value.version != kFormatVersion) {
    return fail(Errc::kUnsupportedVersion,
                fmt::format("{}: format version {}, and this Penstock reads version {}", what,
                            value.version, kFormatVersion));
  }
  if (!all_zero(page.subspan(sizeof(T)))) {
    return fail(Errc::kCorrupt, fmt::format("{}: bytes behind its end are not zero", what));
  }
  return value;
}

}  // namespace penstock
