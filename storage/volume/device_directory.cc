#include "storage/volume/device_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include "storage/format/volume.h"
#include "storage/volume/file.h"

namespace penstock {
namespace {

constexpr std::size_t kZeroBytes = 1 * kMiB;  // of one write when a slot is made
constexpr const char* kUnfinished = ".unfinished";

class DirectoryDevice final : public VolumeDevice {
 public:
  DirectoryDevice(std::string path, DeviceAccess access)
      : path_(std::move(path)), flags_(access == DeviceAccess::kReadOnly ? O_RDONLY : O_RDWR) {}

  const std::string& name() const override { return path_; }
  Result<> lock() override;
  Result<> read_head(std::uint64_t offset, std::span<std::byte> into) override;
  Result<> write_head(std::uint64_t offset, std::span<const std::byte> from) override;
  void set_segment_bytes(std::uint64_t bytes) override { segment_bytes_ = bytes; }
  Result<std::vector<SlotIndex>> list_slots() override;
  Result<> create_slot(SlotIndex slot) override;
  Result<> remove_slot(SlotIndex slot) override;
  Result<> read(SlotIndex slot, std::uint64_t offset, std::span<std::byte> into) override;
  Result<> write(SlotIndex slot, std::uint64_t offset, std::span<const std::byte> from) override;
  Result<std::uint64_t> extra_bytes(SlotIndex slot) override;
  Result<> sync(SlotIndex slot) override;
  Result<SlotFile> open_slot(SlotIndex slot) override;
  void close_slot(const SlotFile& file) override { ::close(file.fd); }
  Result<DeviceSpace> space() override;

 private:
  [[nodiscard]] std::string head_path() const { return path_ + "/volume"; }
  [[nodiscard]] std::string slot_path(SlotIndex slot) const {
    return fmt::format("{}/segment-{:06}", path_, slot.value);
  }
  Result<> fill_with_zeros(const File& file, const std::string& path) const;
  // The slot used last stays open: recovery and readers go through one after the other.
  Result<> open_recent(SlotIndex slot);

  std::string path_;
  int flags_;
  std::uint64_t segment_bytes_ = 0;
  File lock_;
  File recent_;
  SlotIndex recent_slot_{0};
};

Result<> DirectoryDevice::lock() {
  // Who only reads makes none: without it nobody has ever written here.
  auto file = File::open(path_ + "/lock", flags_ == O_RDONLY ? O_RDONLY : O_RDWR | O_CREAT, 0644);
  if (!file && file.error().code == Errc::kNotFound && flags_ == O_RDONLY) return {};
  if (!file) return std::unexpected(std::move(file.error()));
  if (flock(file->fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock the volume " + path_);
    return fail(
        Errc::kBusy,
        fmt::format("volume {}: another process has it open for writing; a volume belongs to "
                    "one penstockd",
                    path_));
  }
  lock_ = std::move(*file);
  if (flags_ == O_RDONLY) return {};
  // What a crash left of slots in the making.
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    if (entry.path().extension() == kUnfinished) std::filesystem::remove(entry.path(), error);
  }
  return {};
}

Result<> DirectoryDevice::read_head(std::uint64_t offset, std::span<std::byte> into) {
  auto file = File::open(head_path(), O_RDONLY | O_DIRECT);
  if (!file && file.error().code == Errc::kNotFound) {
    std::ranges::fill(into, std::byte{0});  // a directory without a head is a blank volume
    return {};
  }
  if (!file) return std::unexpected(std::move(file.error()));
  return file->read(offset, into, head_path());
}

Result<> DirectoryDevice::write_head(std::uint64_t offset, std::span<const std::byte> from) {
  auto file = File::open(head_path(), O_RDWR | O_DIRECT | O_CREAT, 0644);
  if (!file) return std::unexpected(std::move(file.error()));
  const int full = posix_fallocate(file->fd(), 0, kVolumeHeadBytes);
  if (full != 0) return fail_errno(full, "make room for " + head_path());
  if (auto written = file->write(offset, from, head_path()); !written) return written;
  if (fsync(file->fd()) != 0) return fail_errno(errno, "sync " + head_path());
  return sync_directory(path_);
}

Result<std::vector<SlotIndex>> DirectoryDevice::list_slots() {
  std::vector<SlotIndex> slots;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    const std::string file = entry.path().filename().string();
    constexpr std::string_view kPrefix = "segment-";
    if (!file.starts_with(kPrefix)) continue;
    std::uint32_t number = 0;
    const char* end = file.data() + file.size();
    const auto parsed = std::from_chars(file.data() + kPrefix.size(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end) slots.emplace_back(number);
  }
  if (error) return fail_errno(error.value(), "list the volume " + path_);
  std::ranges::sort(slots);
  return slots;
}

Result<> DirectoryDevice::fill_with_zeros(const File& file, const std::string& path) const {
  const int full = posix_fallocate(file.fd(), 0, static_cast<off_t>(segment_bytes_));
  if (full != 0) return fail_errno(full, "make room for " + path);
  const PageBuffer zeros = allocate_pages(kZeroBytes);
  for (std::uint64_t at = 0; at < segment_bytes_; at += kZeroBytes) {
    const std::size_t bytes = std::min<std::uint64_t>(kZeroBytes, segment_bytes_ - at);
    const ssize_t n = pwrite(file.fd(), zeros.get(), bytes, static_cast<off_t>(at));
    if (n < 0) return fail_errno(errno, "write zeros to " + path);
    if (static_cast<std::size_t>(n) != bytes) {
      return fail(Errc::kNoSpace, "write zeros to " + path + ": cut short");
    }
  }
  if (fsync(file.fd()) != 0) return fail_errno(errno, "sync " + path);
  return {};
}

Result<> DirectoryDevice::create_slot(SlotIndex slot) {
  const std::string path = slot_path(slot);
  const std::string unfinished = path + kUnfinished;
  auto file = File::open(unfinished, O_RDWR | O_CREAT | O_EXCL | O_DIRECT, 0644);
  if (!file) return std::unexpected(std::move(file.error()));
  auto done = fill_with_zeros(*file, unfinished);
  if (done && ::rename(unfinished.c_str(), path.c_str()) != 0) {
    done = fail_errno(errno, fmt::format("rename {} to {}", unfinished, path));
  }
  if (!done) {
    ::unlink(unfinished.c_str());
    return done;
  }
  return sync_directory(path_);
}

Result<> DirectoryDevice::remove_slot(SlotIndex slot) {
  if (recent_.is_open() && recent_slot_ == slot) recent_ = File();
  if (::unlink(slot_path(slot).c_str()) != 0) return fail_errno(errno, "remove " + slot_path(slot));
  return sync_directory(path_);
}

Result<> DirectoryDevice::open_recent(SlotIndex slot) {
  if (recent_.is_open() && recent_slot_ == slot) return {};
  auto file = File::open(slot_path(slot), flags_ | O_DIRECT);
  if (!file) return std::unexpected(std::move(file.error()));
  recent_ = std::move(*file);
  recent_slot_ = slot;
  return {};
}

Result<> DirectoryDevice::read(SlotIndex slot, std::uint64_t offset, std::span<std::byte> into) {
  if (auto opened = open_recent(slot); !opened) return opened;
  return recent_.read(offset, into, slot_path(slot));
}

Result<> DirectoryDevice::write(SlotIndex slot, std::uint64_t offset,
                                std::span<const std::byte> from) {
  if (auto opened = open_recent(slot); !opened) return opened;
  return recent_.write(offset, from, slot_path(slot));
}

Result<std::uint64_t> DirectoryDevice::extra_bytes(SlotIndex slot) {
  struct stat st{};
  if (stat(slot_path(slot).c_str(), &st) != 0) return fail_errno(errno, "stat " + slot_path(slot));
  const auto bytes = static_cast<std::uint64_t>(st.st_size);
  return S_ISREG(st.st_mode) && bytes > segment_bytes_ ? bytes - segment_bytes_ : 0;
}

Result<> DirectoryDevice::sync(SlotIndex slot) {
  if (!lock_.is_open()) return {};
  if (auto opened = open_recent(slot); !opened) return opened;
  if (fdatasync(recent_.fd()) != 0) return fail_errno(errno, "sync " + slot_path(slot));
  return {};
}

Result<SlotFile> DirectoryDevice::open_slot(SlotIndex slot) {
  auto file = File::open(slot_path(slot), O_RDWR | O_DIRECT);
  if (!file) return std::unexpected(std::move(file.error()));
  return SlotFile{file->release(), 0};
}

Result<DeviceSpace> DirectoryDevice::space() {
  struct statvfs st{};
  if (statvfs(path_.c_str(), &st) != 0) return fail_errno(errno, "ask for the space of " + path_);
  return DeviceSpace{std::uint64_t{st.f_bavail} * st.f_frsize,
                     std::uint64_t{st.f_blocks} * st.f_frsize};
}

}  // namespace

Result<std::unique_ptr<VolumeDevice>> make_directory_device(const std::string& path,
                                                            DeviceAccess access) {
  return std::make_unique<DirectoryDevice>(path, access);
}

}  // namespace penstock
