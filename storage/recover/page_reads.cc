#include "storage/recover/page_reads.h"

#include <algorithm>

namespace penstock {
namespace {

bool concerns_pages(const Error& error) {
  // kInvalidArgument: a file that does not end on a page cannot be read directly at its end.
  return error.code == Errc::kIoError || error.code == Errc::kCorrupt ||
         error.code == Errc::kInvalidArgument;
}

bool gives_anything(VolumeDevice& device) {
  const PageBuffer page = allocate_pages(kPageBytes);
  return device.read_head(0, {page.get(), kPageBytes}).has_value();
}

}  // namespace

Result<std::vector<std::uint32_t>> read_pages(VolumeDevice& device, SlotIndex slot,
                                              std::uint32_t first, std::span<std::byte> into) {
  std::vector<std::uint32_t> unreadable;
  auto read = device.read(slot, std::uint64_t{first} * kPageBytes, into);
  if (read) return unreadable;
  if (!concerns_pages(read.error())) return std::unexpected(std::move(read.error()));
  const auto pages = static_cast<std::uint32_t>(into.size() / kPageBytes);
  for (std::uint32_t i = 0; i < pages; ++i) {
    const std::span page = into.subspan(std::size_t{i} * kPageBytes, kPageBytes);
    auto again = device.read(slot, std::uint64_t{first + i} * kPageBytes, page);
    if (again) continue;
    if (!concerns_pages(again.error())) return std::unexpected(std::move(again.error()));
    std::ranges::fill(page, std::byte{0});
    unreadable.push_back(first + i);
  }
  if (unreadable.size() == pages && !gives_anything(device)) {
    return std::unexpected(std::move(read.error()));
  }
  return unreadable;
}

}  // namespace penstock
