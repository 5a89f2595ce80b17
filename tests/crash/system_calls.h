// Stands between this program and the kernel: what the product asks of its files, counted, and one
// chosen call made to fail. The same source, built as a shared object and preloaded, does it to
// penstockd; there the environment chooses.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::faults {

enum class Call : std::uint8_t {
  kOpen,
  kAllocate,  // posix_fallocate
  kWrite,     // pwrite, pwritev2
  kSync,      // fsync, fdatasync
  kTruncate,
  kRename,
  kRemove,
  kMakeDirectory,
  kCount
};
inline constexpr std::array<std::string_view, 8> kCallNames{
    "open", "fallocate", "write", "fsync", "truncate", "rename", "remove", "mkdir"};
static_assert(kCallNames.size() == static_cast<std::size_t>(Call::kCount));

// Fails the call of a kind that is the `number`th from now on, counted from 0, on a path below
// `under` or a file that was opened there.
struct Plan {
  std::string under;
  Call call = Call::kCount;  // kCount: none fails
  std::uint64_t number = 0;
  int error = 0;          // 0: the process is killed before the call instead
  bool for_ever = false;  // all that follow too
};
void begin(const Plan& plan);
// No call fails any more. Returns how many of each kind there were.
std::array<std::uint64_t, kCallNames.size()> end();

}  // namespace penstock::faults
