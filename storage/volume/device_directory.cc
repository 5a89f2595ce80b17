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
#include <optional>

#include <fmt/format.h>

#include "storage/format/volume.h"
#include "storage/volume/file.h"

namespace penstock {
namespace {

constexpr std::size_t kZeroBytes = 1 * kMiB;     // of one write when a slot is made
constexpr std::uint64_t kPieceBytes = 8 * kMiB;  // of one call of make_slot()
constexpr std::string_view kHead = "volume";
constexpr std::string_view kLock = "lock";
constexpr std::string_view kUnfinished = ".unfinished";

std::string slot_name(SlotIndex slot) { return fmt::format("segment-{:06}", slot.value); }

// The slot that a file of this name is, written in no other way.
std::optional<SlotIndex> slot_of(std::string_view name) {
  constexpr std::string_view kPrefix = "segment-";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::uint32_t number = 0;
  const auto parsed =
      std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), number);
  if (parsed.ec != std::errc() || name != slot_name(SlotIndex(number))) return std::nullopt;
  return SlotIndex(number);
}

// What a crash left of a slot in the making.
bool is_unfinished_slot(std::string_view name) {
  return name.ends_with(kUnfinished) && slot_of(name.substr(0, name.size() - kUnfinished.size()));
}

struct Entry {
  std::string name;
  bool is_file;  // and no folder, link or device
};

Result<std::vector<Entry>> entries_of(const std::string& folder) {
  std::vector<Entry> entries;
  std::error_code error;
  auto at = std::filesystem::directory_iterator(folder, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    std::error_code gone;  // removed since: then it is no file
    entries.push_back({at->path().filename().string(),
                       at->symlink_status(gone).type() == std::filesystem::file_type::regular});
  }
  if (error) return fail_errno(error.value(), "list the volume " + folder);
  return entries;
}

class DirectoryDevice final : public VolumeDevice {
 public:
  DirectoryDevice(std::string path, DeviceAccess access)
      : path_(std::move(path)), flags_(access == DeviceAccess::kReadOnly ? O_RDONLY : O_RDWR) {}
  ~DirectoryDevice() override { stop_making(); }

  const std::string& name() const override { return path_; }
  Result<> lock() override;
  Result<> check_unused() override;
  Result<> read_head(std::uint64_t offset, std::span<std::byte> into) override;
  Result<> write_head(std::uint64_t offset, std::span<const std::byte> from) override;
  void set_segment_bytes(std::uint64_t bytes) override { segment_bytes_ = bytes; }
  Result<std::vector<SlotIndex>> list_slots() override;
  Result<bool> make_slot(SlotIndex slot) override;
  Result<> remove_slot(SlotIndex slot) override;
  Result<> read(SlotIndex slot, std::uint64_t offset, std::span<std::byte> into) override;
  Result<> write(SlotIndex slot, std::uint64_t offset, std::span<const std::byte> from) override;
  Result<std::uint64_t> extra_bytes(SlotIndex slot) override;
  Result<> sync(SlotIndex slot) override;
  Result<SlotFile> open_slot(SlotIndex slot) override;
  void close_slot(const SlotFile& file) override { ::close(file.fd); }
  Result<DeviceSpace> space() override;

 private:
  struct Making {
    SlotIndex slot;
    File file;
    std::uint64_t zeros;  // bytes written so far
  };

  [[nodiscard]] std::string path_to(std::string_view name) const {
    return fmt::format("{}/{}", path_, name);
  }
  [[nodiscard]] std::string head_path() const { return path_to(kHead); }
  [[nodiscard]] std::string slot_path(SlotIndex slot) const { return path_to(slot_name(slot)); }
  [[nodiscard]] std::string unfinished_path(SlotIndex slot) const {
    return slot_path(slot).append(kUnfinished);
  }
  Result<> begin_making(SlotIndex slot);
  Result<> write_zeros();
  Result<> finish_making();
  void stop_making();
  // The slot used last stays open: recovery and readers go through one after the other.
  Result<> open_recent(SlotIndex slot);

  std::string path_;
  int flags_;
  std::uint64_t segment_bytes_ = 0;
  File lock_;
  File recent_;
  SlotIndex recent_slot_{0};
  std::optional<Making> making_;
};

Result<> DirectoryDevice::lock() {
  const std::string path = path_to(kLock);
  // Who only reads makes none: without it nobody has ever written here.
  auto file = File::open(path, flags_ == O_RDONLY ? O_RDONLY : O_RDWR | O_CREAT, 0644);
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
  auto entries = entries_of(path_);
  if (!entries) return std::unexpected(std::move(entries.error()));
  for (const Entry& entry : *entries) {
    if (!entry.is_file || !is_unfinished_slot(entry.name)) continue;
    if (::unlink(path_to(entry.name).c_str()) != 0) {
      return fail_errno(errno, "remove " + path_to(entry.name));
    }
  }
  return {};
}

Result<> DirectoryDevice::check_unused() {
  auto entries = entries_of(path_);
  if (!entries) return std::unexpected(std::move(entries.error()));
  for (const Entry& entry : *entries) {
    if (slot_of(entry.name)) {
      return fail(Errc::kAlreadyExists,
                  fmt::format("volume {}: it holds segments ({}), and its head, the file '{}', is "
                              "lost; nothing is touched. Bring that file back, or name an empty "
                              "directory",
                              path_, entry.name, kHead));
    }
    // A head that a crash left blank is judged by its bytes.
    const bool ours = entry.name == kHead || entry.name == kLock || is_unfinished_slot(entry.name);
    if (ours || entry.name == "lost+found") continue;
    return fail(Errc::kAlreadyExists,
                fmt::format("volume {}: the directory holds '{}', which is no part of a volume; "
                            "name an empty directory",
                            path_, entry.name));
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
  // A crash may have left it shorter: what is not there was never written.
  struct stat st{};
  if (fstat(file->fd(), &st) != 0) return fail_errno(errno, "stat " + head_path());
  const std::uint64_t end = static_cast<std::uint64_t>(st.st_size) / kPageBytes * kPageBytes;
  const std::size_t there = std::min<std::uint64_t>(end - std::min(offset, end), into.size());
  std::ranges::fill(into.subspan(there), std::byte{0});
  return file->read(offset, into.first(there), head_path());
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
  auto entries = entries_of(path_);
  if (!entries) return std::unexpected(std::move(entries.error()));
  std::vector<SlotIndex> slots;
  for (const Entry& entry : *entries) {
    const auto slot = slot_of(entry.name);
    if (entry.is_file && slot) slots.push_back(*slot);
  }
  std::ranges::sort(slots);
  return slots;
}

Result<bool> DirectoryDevice::make_slot(SlotIndex slot) {
  if (making_ && making_->slot != slot) stop_making();
  Result<> done;
  if (!making_) done = begin_making(slot);
  if (done) done = write_zeros();
  const bool whole = done && making_->zeros == segment_bytes_;
  if (whole) done = finish_making();
  if (!done) {
    stop_making();
    return std::unexpected(std::move(done.error()));
  }
  return whole;
}

Result<> DirectoryDevice::begin_making(SlotIndex slot) {
  const std::string path = unfinished_path(slot);
  auto file = File::open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT, 0644);
  if (!file) return std::unexpected(std::move(file.error()));
  making_ = Making{.slot = slot, .file = std::move(*file), .zeros = 0};
  const int full = posix_fallocate(making_->file.fd(), 0, static_cast<off_t>(segment_bytes_));
  if (full != 0) return fail_errno(full, "make room for " + path);
  return {};
}

// One piece.
Result<> DirectoryDevice::write_zeros() {
  const std::string path = unfinished_path(making_->slot);
  const PageBuffer zeros = allocate_pages(kZeroBytes);
  const std::uint64_t end = std::min(making_->zeros + kPieceBytes, segment_bytes_);
  while (making_->zeros < end) {
    const std::size_t bytes = std::min<std::uint64_t>(kZeroBytes, end - making_->zeros);
    const ssize_t n =
        pwrite(making_->file.fd(), zeros.get(), bytes, static_cast<off_t>(making_->zeros));
    if (n < 0) return fail_errno(errno, "write zeros to " + path);
    if (static_cast<std::size_t>(n) != bytes) {
      return fail(Errc::kNoSpace, "write zeros to " + path + ": cut short");
    }
    making_->zeros += bytes;
  }
  return {};
}

Result<> DirectoryDevice::finish_making() {
  const SlotIndex slot = making_->slot;
  const std::string path = unfinished_path(slot);
  if (fsync(making_->file.fd()) != 0) return fail_errno(errno, "sync " + path);
  if (::rename(path.c_str(), slot_path(slot).c_str()) != 0) {
    return fail_errno(errno, fmt::format("rename {} to {}", path, slot_path(slot)));
  }
  making_.reset();
  return sync_directory(path_);
}

void DirectoryDevice::stop_making() {
  if (!making_) return;
  ::unlink(unfinished_path(making_->slot).c_str());
  making_.reset();
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
