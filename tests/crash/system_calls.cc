#include "tests/crash/system_calls.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace penstock::faults {
namespace {

constexpr std::size_t kFilesMax = 4096;

// Set before the calls that they judge, by one thread.
std::array<char, 512> under;
std::atomic<bool> active = false;
Plan planned;
std::array<std::atomic<std::uint64_t>, kCallNames.size()> calls;
std::array<std::atomic<bool>, kFilesMax> watched;  // files that were opened below `under`

bool is_below(const char* path) {
  return active && under[0] != '\0' &&
         std::strncmp(path, under.data(), std::strlen(under.data())) == 0;
}
bool is_watched(int fd) {
  return active && fd >= 0 && static_cast<std::size_t>(fd) < kFilesMax &&
         watched[static_cast<std::size_t>(fd)];
}

// Counts a call; whether it is the one that fails.
bool fails(Call call) {
  const std::uint64_t number = calls[static_cast<std::size_t>(call)]++;
  if (call != planned.call) return false;
  const bool chosen = number == planned.number || (planned.for_ever && number > planned.number);
  if (chosen && planned.error == 0) kill(getpid(), SIGKILL);
  return chosen;
}
bool fails_here(Call call, int fd) {
  if (!is_watched(fd) || !fails(call)) return false;
  errno = planned.error;
  return true;
}
bool fails_here(Call call, const char* path) {
  if (!is_below(path) || !fails(call)) return false;
  errno = planned.error;
  return true;
}

// Of a preloaded object: PENSTOCK_FAULT is CALL:NUMBER:ERRNO:FOR_EVER, PENSTOCK_FAULT_UNDER the
// path; how many calls there were goes to the file PENSTOCK_FAULT_COUNTS when the process ends.
struct Environment {
  Environment() {
    const char* path = std::getenv("PENSTOCK_FAULT_UNDER");
    if (path == nullptr) return;
    Plan plan{.under = path};
    const char* fault = std::getenv("PENSTOCK_FAULT");
    if (fault != nullptr) read(fault, plan);
    begin(plan);
  }
  ~Environment() {
    const char* path = std::getenv("PENSTOCK_FAULT_COUNTS");
    if (path == nullptr) return;
    const auto counts = end();
    std::FILE* file = std::fopen(path, "w");
    if (file == nullptr) return;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      std::fprintf(file, "%s %llu\n", kCallNames[i].data(),
                   static_cast<unsigned long long>(counts[i]));
    }
    std::fclose(file);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  static void read(std::string_view text, Plan& plan) {
    const std::string_view name = text.substr(0, text.find(':'));
    const auto at = std::ranges::find(kCallNames, name);
    std::array<std::uint64_t, 3> numbers{};
    const char* next = text.data() + name.size();
    for (std::uint64_t& number : numbers) {
      if (next != text.end()) next = std::from_chars(next + 1, text.end(), number).ptr;
    }
    plan.call = static_cast<Call>(at - kCallNames.begin());
    plan.number = numbers[0];
    plan.error = static_cast<int>(numbers[1]);
    plan.for_ever = numbers[2] != 0;
  }
};
const Environment kEnvironment;

}  // namespace

void begin(const Plan& plan) {
  planned = plan;
  under.fill('\0');
  plan.under.copy(under.data(), under.size() - 1);
  for (auto& count : calls) count = 0;
  active = true;
}

std::array<std::uint64_t, kCallNames.size()> end() {
  active = false;
  std::array<std::uint64_t, kCallNames.size()> counts{};
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = calls[i];
  return counts;
}

}  // namespace penstock::faults

// ---- In the place of the C library's ------------------------------------------------------------

using penstock::faults::Call;
using penstock::faults::fails_here;
using penstock::faults::is_below;
using penstock::faults::kFilesMax;
using penstock::faults::watched;

extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  if (fails_here(Call::kOpen, path)) return -1;
  const auto fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
  if (fd >= 0 && static_cast<std::size_t>(fd) < kFilesMax) {
    watched[static_cast<std::size_t>(fd)] = is_below(path);
  }
  return fd;
}

int posix_fallocate(int fd, off_t offset, off_t length) {
  if (fails_here(Call::kAllocate, fd)) return errno;
  return syscall(SYS_fallocate, fd, 0, offset, length) == 0 ? 0 : errno;
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  if (fails_here(Call::kWrite, fd)) return -1;
  return syscall(SYS_pwrite64, fd, bytes, count, offset);
}

ssize_t pwritev2(int fd, const iovec* parts, int count, off_t offset, int flags) {
  if (fails_here(Call::kWrite, fd)) return -1;
  return syscall(SYS_pwritev2, fd, parts, count, offset, 0, flags);
}

int fsync(int fd) {
  return fails_here(Call::kSync, fd) ? -1 : static_cast<int>(syscall(SYS_fsync, fd));
}

int fdatasync(int fd) {
  return fails_here(Call::kSync, fd) ? -1 : static_cast<int>(syscall(SYS_fdatasync, fd));
}

int ftruncate(int fd, off_t length) noexcept {
  return fails_here(Call::kTruncate, fd) ? -1
                                         : static_cast<int>(syscall(SYS_ftruncate, fd, length));
}

int rename(const char* from, const char* to) noexcept {
  return fails_here(Call::kRename, to) ? -1 : static_cast<int>(syscall(SYS_rename, from, to));
}

int unlink(const char* path) noexcept {
  return fails_here(Call::kRemove, path) ? -1 : static_cast<int>(syscall(SYS_unlink, path));
}

int mkdir(const char* path, mode_t mode) noexcept {
  return fails_here(Call::kMakeDirectory, path) ? -1
                                                : static_cast<int>(syscall(SYS_mkdir, path, mode));
}
}
