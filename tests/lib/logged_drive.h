// A block device that logs every write and flush in the order in which it did them: a loop device
// over a file that qemu-storage-daemon exports over FUSE, through its driver blklogwrites (the
// format of dm-log-writes). The loop device is there because it asks for one thing after the other,
// which is what that daemon's export can bear, and because it keeps the promise of RWF_DSYNC.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace penstock {

// What the drive did. A flush made all before it stable.
struct LoggedWrite {
  bool flush = false;
  std::uint64_t offset = 0;
  std::span<const std::byte> bytes;  // of the log
  std::uint64_t log_end = 0;         // how long the log was when this had been logged
};

class WriteLog {
 public:
  [[nodiscard]] static Result<WriteLog> read(const std::string& path);
  [[nodiscard]] const std::vector<LoggedWrite>& writes() const { return writes_; }

 private:
  std::vector<std::byte> data_;
  std::vector<LoggedWrite> writes_;
};

// The daemon ends and its export is gone when this is destroyed, or when this process dies.
class LoggedDrive {
 public:
  // Files are made in `folder`. kUnavailable: there is no daemon here, or no FUSE.
  [[nodiscard]] static Result<std::unique_ptr<LoggedDrive>> start(const std::string& folder,
                                                                  std::uint64_t bytes);
  ~LoggedDrive() { stop(); }
  LoggedDrive(const LoggedDrive&) = delete;
  LoggedDrive& operator=(const LoggedDrive&) = delete;

  [[nodiscard]] const std::string& path() const { return device_; }
  [[nodiscard]] const std::string& log_path() const { return log_; }
  [[nodiscard]] std::uint64_t log_bytes() const;
  void stop();

 private:
  explicit LoggedDrive(const std::string& folder)
      : image_(folder + "/image"), log_(folder + "/log"), export_(folder + "/export") {}
  [[nodiscard]] Result<> spawn();
  [[nodiscard]] Result<> wait_for_export(std::uint64_t bytes);
  [[nodiscard]] Result<> attach();

  std::string image_;
  std::string log_;
  std::string export_;
  std::string device_;
  int device_fd_ = -1;  // while it is open the loop device stays attached, and no longer
  int log_fd_ = -1;
  int pid_ = 0;
};

}  // namespace penstock
