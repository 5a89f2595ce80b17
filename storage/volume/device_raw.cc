#include "storage/volume/device_raw.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include <fmt/format.h>

#include "storage/format/segment.h"
#include "storage/format/volume.h"
#include "storage/volume/file.h"

namespace penstock {
namespace {

constexpr std::size_t kZeroBytes = 1 * kMiB;     // of one write when a slot is made
constexpr std::uint64_t kPieceBytes = 8 * kMiB;  // of one call of make_slot()

class RawDevice final : public VolumeDevice {
 public:
  RawDevice(std::string path, int flags, File file, std::uint64_t bytes)
      : path_(std::move(path)), flags_(flags), file_(std::move(file)), bytes_(bytes) {}

  const std::string& name() const override { return path_; }
  Result<> lock() override;
  Result<> check_unused() override;
  Result<> read_head(std::uint64_t offset, std::span<std::byte> into) override {
    return file_.read(offset, into, path_);
  }
  Result<> write_head(std::uint64_t offset, std::span<const std::byte> from) override {
    return file_.write(offset, from, path_);
  }
  void set_segment_bytes(std::uint64_t bytes) override { segment_bytes_ = bytes; }
  Result<std::vector<SlotIndex>> list_slots() override;
  Result<bool> make_slot(SlotIndex slot) override;
  Result<> remove_slot(SlotIndex slot) override;
  Result<> read(SlotIndex slot, std::uint64_t offset, std::span<std::byte> into) override {
    return file_.read(base_of(slot) + offset, into, path_);
  }
  Result<> write(SlotIndex slot, std::uint64_t offset, std::span<const std::byte> from) override {
    return file_.write(base_of(slot) + offset, from, path_);
  }
  Result<> sync(SlotIndex slot) override;
  Result<SlotFile> open_slot(SlotIndex slot) override;
  void close_slot(const SlotFile& file) override { File(file.fd); }
  Result<DeviceSpace> space() override;
  std::uint64_t fixed_bytes() const override { return bytes_; }

 private:
  [[nodiscard]] std::uint64_t base_of(SlotIndex slot) const {
    return kVolumeHeadBytes + slot.value * segment_bytes_;
  }
  [[nodiscard]] std::uint64_t slots_max() const {
    return bytes_ < kVolumeHeadBytes ? 0 : (bytes_ - kVolumeHeadBytes) / segment_bytes_;
  }

  std::string path_;
  int flags_;  // O_RDONLY or O_RDWR
  File file_;
  File lock_;
  std::uint64_t bytes_;
  std::uint64_t segment_bytes_ = kSegmentBytesMin;
  std::set<SlotIndex> slots_;  // that exist, as far as listed or made
  SlotIndex making_{0};
  std::uint64_t zeros_ = 0;  // bytes written so far of the slot in the making; 0: none is
};

Result<> RawDevice::lock() {
  // O_EXCL on a block device: refused while it is mounted or otherwise claimed.
  auto file = File::open(path_, flags_ | O_EXCL);
  if (!file && file.error().code == Errc::kBusy) {
    return fail(Errc::kBusy, fmt::format("volume {}: the device is mounted or in use", path_));
  }
  if (!file) return std::unexpected(std::move(file.error()));
  if (flock(file->fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock the volume " + path_);
    return fail(Errc::kBusy, fmt::format("volume {}: another process has it open for writing; a "
                                         "volume belongs to one penstockd",
                                         path_));
  }
  lock_ = std::move(*file);
  return {};
}

// The head is judged by who makes a volume; the first slot has its place whatever the size of a
// slot is.
Result<> RawDevice::check_unused() {
  const PageBuffer page = allocate_pages(kPageBytes);
  const std::span bytes(page.get(), kPageBytes);
  if (bytes_ < kVolumeHeadBytes + kPageBytes) return {};
  if (auto done = read(SlotIndex(0), 0, bytes); !done) return done;
  if (load<std::uint64_t>(bytes) != kSegmentHeaderMagic) return {};
  return fail(Errc::kAlreadyExists,
              fmt::format("volume {}: it holds segments, and its head is lost; nothing is touched. "
                          "Wipe it yourself if it is really free (blkdiscard -z)",
                          path_));
}

// A slot exists if its first page is not blank: it is given a header when it is made.
Result<std::vector<SlotIndex>> RawDevice::list_slots() {
  const PageBuffer page = allocate_pages(kPageBytes);
  const std::span bytes(page.get(), kPageBytes);
  for (std::uint32_t i = 0; i < slots_max(); ++i) {
    if (auto done = read(SlotIndex(i), 0, bytes); !done) {
      return std::unexpected(std::move(done.error()));
    }
    if (!all_zero(bytes)) slots_.insert(SlotIndex(i));
  }
  return std::vector<SlotIndex>(slots_.begin(), slots_.end());
}

Result<bool> RawDevice::make_slot(SlotIndex slot) {
  if (slot.value >= slots_max()) {
    return fail(Errc::kNoSpace, fmt::format("volume {}: the device is full", path_));
  }
  if (slot != making_) zeros_ = 0;
  making_ = slot;
  const PageBuffer zeros = allocate_pages(kZeroBytes);
  const std::uint64_t end = std::min(zeros_ + kPieceBytes, segment_bytes_);
  while (zeros_ < end) {
    const std::size_t bytes = std::min<std::uint64_t>(kZeroBytes, end - zeros_);
    if (auto done = write(slot, zeros_, {zeros.get(), bytes}); !done) {
      zeros_ = 0;
      return std::unexpected(std::move(done.error()));
    }
    zeros_ += bytes;
  }
  if (zeros_ < segment_bytes_) return false;
  zeros_ = 0;
  slots_.insert(slot);
  return true;
}

Result<> RawDevice::remove_slot(SlotIndex slot) {
  const PageBuffer zeros = allocate_pages(kPageBytes);
  if (auto done = write(slot, 0, {zeros.get(), kPageBytes}); !done) return done;
  slots_.erase(slot);
  return {};
}

Result<> RawDevice::sync(SlotIndex /*slot*/) {
  if (!lock_.is_open()) return {};
  if (fdatasync(lock_.fd()) != 0) return fail_errno(errno, "sync " + path_);
  return {};
}

Result<SlotFile> RawDevice::open_slot(SlotIndex slot) {
  auto file = File::open(path_, O_RDWR | O_DIRECT);
  if (!file) return std::unexpected(std::move(file.error()));
  return SlotFile{file->release(), base_of(slot)};
}

Result<DeviceSpace> RawDevice::space() {
  const std::uint64_t used = kVolumeHeadBytes + slots_.size() * segment_bytes_;
  return DeviceSpace{bytes_ > used ? bytes_ - used : 0, bytes_};
}

}  // namespace

Result<std::unique_ptr<VolumeDevice>> open_raw_device(const std::string& path,
                                                      DeviceAccess access) {
  const int flags = access == DeviceAccess::kReadOnly ? O_RDONLY : O_RDWR;
  auto file = File::open(path, flags | O_DIRECT);
  if (!file) return std::unexpected(std::move(file.error()));
  std::uint64_t bytes = 0;
  int sector = 0;
  if (ioctl(file->fd(), BLKGETSIZE64, &bytes) != 0 || ioctl(file->fd(), BLKSSZGET, &sector) != 0) {
    return fail_errno(errno, "ask for the size of " + path);
  }
  if (sector > static_cast<int>(kPageBytes)) {
    return fail(Errc::kInvalidArgument,
                fmt::format("volume {}: sectors of {} bytes; at most {} are possible", path, sector,
                            kPageBytes));
  }
  return std::make_unique<RawDevice>(path, flags, std::move(*file), bytes);
}

}  // namespace penstock
