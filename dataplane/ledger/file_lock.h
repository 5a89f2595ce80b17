// A lock on a whole file, held by a process for as long as it lives: the kernel takes it away with
// the process, however that ends, and whoever may read the file may ask whether it is held. Unlike
// a process number it is never anybody else's.
#pragma once

#include <string>

#include "base/result.h"

namespace penstock {

// Takes the lock of the open file; false when another open file has it. Given up when the last
// descriptor of this open file is closed.
[[nodiscard]] bool lock_file(int fd);

// Whether another open file of the same file has the lock. Changes nothing; reading is enough.
[[nodiscard]] bool is_file_locked(int fd);

// A file that stands for something that one process only may have, locked.
class FileLock {
 public:
  // Makes the file when it is missing. kBusy: another process has it.
  [[nodiscard]] static Result<FileLock> take(const std::string& path);

  FileLock() = default;
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  int fd_ = -1;
};

}  // namespace penstock
