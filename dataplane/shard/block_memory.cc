#include "dataplane/shard/block_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"

namespace penstock {
namespace {

constexpr std::size_t kHugepageBytes = 2 * kMiB;

void* map(std::size_t bytes, int more_flags) {
  return mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | more_flags, -1, 0);
}

}  // namespace

Result<BlockMemory> BlockMemory::take(std::size_t bytes, bool want_hugepages) {
  bytes = align_up(bytes, kHugepageBytes);
  void* at = want_hugepages ? map(bytes, MAP_HUGETLB) : MAP_FAILED;
  const bool hugepages = at != MAP_FAILED;
  if (!hugepages) at = map(bytes, 0);
  if (at == MAP_FAILED) {
    return fail_errno(
        errno,
        fmt::format("take {} MiB of memory for blocks; lower the volume's memory", bytes / kMiB));
  }
  if (!hugepages) madvise(at, bytes, MADV_HUGEPAGE);
  const bool locked = mlock(at, bytes) == 0;
  return BlockMemory({static_cast<std::byte*>(at), bytes}, hugepages, locked);
}

BlockMemory::BlockMemory(BlockMemory&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})),
      hugepages_(other.hugepages_),
      locked_(other.locked_) {}

BlockMemory& BlockMemory::operator=(BlockMemory&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(hugepages_, other.hugepages_);
  std::swap(locked_, other.locked_);
  return *this;
}

BlockMemory::~BlockMemory() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
}

}  // namespace penstock
