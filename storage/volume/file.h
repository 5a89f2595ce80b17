// Blocking whole-page reads and writes of one file or device, for the volume devices.
#pragma once

#include <span>
#include <string>
#include <utility>

#include "base/result.h"

namespace penstock {

// Owns a file descriptor. Move-only.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~File();

  // open(2) with O_CLOEXEC; the error names the path.
  [[nodiscard]] static Result<File> open(const std::string& path, int flags, unsigned mode = 0);

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

  // All of it or an error; the end of the file within the range is an error.
  [[nodiscard]] Result<> read(std::uint64_t offset, std::span<std::byte> into,
                              const std::string& name) const;
  // All of it, durable on return.
  [[nodiscard]] Result<> write(std::uint64_t offset, std::span<const std::byte> from,
                               const std::string& name) const;

 private:
  int fd_ = -1;
};

// Makes a directory's entries durable.
[[nodiscard]] Result<> sync_directory(const std::string& path);

}  // namespace penstock
