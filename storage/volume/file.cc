#include "storage/volume/file.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

namespace penstock {

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Result<File> File::open(const std::string& path, int flags, unsigned mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) {
    if (errno == EINVAL && (flags & O_DIRECT) != 0) {
      return fail(
          Errc::kUnavailable,
          fmt::format("open {}: its file system does not take direct I/O (O_DIRECT); put the "
                      "volume on ext4, XFS or a block device",
                      path));
    }
    return fail_errno(errno, "open " + path);
  }
  return File(fd);
}

Result<> File::read(std::uint64_t offset, std::span<std::byte> into,
                    const std::string& name) const {
  while (!into.empty()) {
    const ssize_t n = pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, fmt::format("read {} at {}", name, offset));
    if (n == 0) {
      return fail(Errc::kCorrupt, fmt::format("read {} at {}: it ends there", name, offset));
    }
    offset += static_cast<std::uint64_t>(n);
    into = into.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<> File::write(std::uint64_t offset, std::span<const std::byte> from,
                     const std::string& name) const {
  while (!from.empty()) {
    const iovec part{const_cast<std::byte*>(from.data()), from.size()};
    const ssize_t n = pwritev2(fd_, &part, 1, static_cast<off_t>(offset), RWF_DSYNC);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, fmt::format("write {} at {}", name, offset));
    offset += static_cast<std::uint64_t>(n);
    from = from.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<> sync_directory(const std::string& path) {
  auto folder = File::open(path, O_RDONLY | O_DIRECTORY);
  if (!folder) return std::unexpected(std::move(folder.error()));
  if (fsync(folder->fd()) != 0) return fail_errno(errno, "sync the directory " + path);
  return {};
}

}  // namespace penstock
