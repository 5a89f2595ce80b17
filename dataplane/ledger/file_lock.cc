#include "dataplane/ledger/file_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace penstock {
namespace {

struct flock whole_file() {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;  // from 0 on, of length 0: to the end, wherever that is
}

}  // namespace

bool lock_file(int fd) {
  struct flock lock = whole_file();
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool is_file_locked(int fd) {
  struct flock lock = whole_file();
  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

Result<FileLock> FileLock::take(const std::string& path) {
  FileLock lock;
  lock.fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock.fd_ < 0) return fail_errno(errno, "open " + path);
  if (!lock_file(lock.fd_)) {
    if (errno != EAGAIN && errno != EACCES) return fail_errno(errno, "lock " + path);
    return fail(Errc::kBusy, path + " is locked by another process");
  }
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace penstock
