#include "tests/lib/logged_drive.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <fmt/format.h>

#include "base/units.h"
#include "storage/format/format.h"

namespace penstock {
namespace {

constexpr std::uint64_t kLogMagic = 0x6A736677736872;
constexpr std::uint64_t kFlush = 1;
constexpr std::uint64_t kForceUnitAccess = 2;
constexpr std::uint64_t kDiscard = 4;
constexpr auto kPatience = std::chrono::seconds(30);

bool make_file(const std::string& path, std::uint64_t bytes) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const bool made = fd >= 0 && ftruncate(fd, static_cast<off_t>(bytes)) == 0;
  if (fd >= 0) ::close(fd);
  return made;
}

}  // namespace

Result<WriteLog> WriteLog::read(const std::string& path) {
  struct Super {
    std::uint64_t magic;
    std::uint64_t version;
    std::uint64_t entries;
    std::uint32_t sector_bytes;
  };
  struct Entry {
    std::uint64_t sector;
    std::uint64_t sectors;
    std::uint64_t flags;
    std::uint64_t data_bytes;
  };
  WriteLog log;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  log.data_.resize(static_cast<std::size_t>(std::max<std::streamoff>(file.tellg(), 0)));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(log.data_.data()), std::ssize(log.data_));
  const std::span<const std::byte> data(log.data_);
  if (!file || data.size() < sizeof(Super) || load<Super>(data).magic != kLogMagic) {
    return fail(Errc::kCorrupt, path + ": no log of writes");
  }
  const std::uint64_t sector = load<Super>(data).sector_bytes;
  for (std::uint64_t at = sector; at + sector <= data.size();) {
    const auto entry = load<Entry>(data, at);
    if (entry.sector == 0 && entry.sectors == 0 && entry.flags == 0) break;
    if ((entry.flags & (kForceUnitAccess | kDiscard)) != 0) {
      return fail(Errc::kUnsupportedVersion, path + ": a kind of write that nobody asked for");
    }
    at += sector;
    const std::uint64_t bytes = entry.sectors * sector;
    if (at + bytes > data.size()) break;
    const bool flush = (entry.flags & kFlush) != 0;
    log.writes_.push_back({flush, entry.sector * sector, data.subspan(at, bytes), at + bytes});
    at += bytes;
  }
  return log;
}

Result<std::unique_ptr<LoggedDrive>> LoggedDrive::start(const std::string& folder,
                                                        std::uint64_t bytes) {
  std::unique_ptr<LoggedDrive> drive(new LoggedDrive(folder));
  if (!make_file(drive->image_, bytes) || !make_file(drive->log_, 0) ||
      !make_file(drive->export_, 0)) {
    return fail_errno(errno, "make files in " + folder);
  }
  drive->log_fd_ = ::open(drive->log_.c_str(), O_RDONLY | O_CLOEXEC);
  Result<> done = drive->spawn();
  if (done) done = drive->wait_for_export(bytes);
  if (done) done = drive->attach();
  if (!done) return std::unexpected(std::move(done.error()));
  return drive;
}

Result<> LoggedDrive::spawn() {
  std::array<std::string, 9> words{
      "qemu-storage-daemon",
      "--blockdev",
      "driver=file,node-name=disk,cache.no-flush=on,filename=" + image_,
      "--blockdev",
      "driver=file,node-name=log,cache.no-flush=on,filename=" + log_,
      "--blockdev",
      "driver=blklogwrites,node-name=top,file=disk,log=log",
      "--export",
      "type=fuse,id=e,node-name=top,writable=on,mountpoint=" + export_};
  std::array<char*, words.size() + 1> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) return fail_errno(errno, "fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent) execvp(arguments[0], arguments.data());
    _exit(127);
  }
  return {};
}

// The file under it has no length; what covers it has.
Result<> LoggedDrive::wait_for_export(std::uint64_t bytes) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    struct stat st{};
    if (stat(export_.c_str(), &st) == 0 && static_cast<std::uint64_t>(st.st_size) == bytes) {
      return {};
    }
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = 0;
      return fail(Errc::kUnavailable, "qemu-storage-daemon cannot export a file over FUSE here");
    }
    std::this_thread::yield();
  }
  return fail(Errc::kUnavailable, "qemu-storage-daemon exports nothing");
}

Result<> LoggedDrive::attach() {
  const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  const int backing = ::open(export_.c_str(), O_RDWR | O_CLOEXEC);
  loop_config config{};
  config.fd = static_cast<unsigned>(backing);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  // Another process may take the free one first.
  for (int tries = 0; control >= 0 && backing >= 0 && tries < 20; ++tries) {
    device_ = fmt::format("/dev/loop{}", ioctl(control, LOOP_CTL_GET_FREE));
    device_fd_ = ::open(device_.c_str(), O_RDWR | O_CLOEXEC);
    if (device_fd_ >= 0 && ioctl(device_fd_, LOOP_CONFIGURE, &config) == 0) break;
    if (device_fd_ >= 0) ::close(device_fd_);
    device_fd_ = -1;
  }
  if (control >= 0) ::close(control);
  if (backing >= 0) ::close(backing);
  if (device_fd_ < 0) return fail(Errc::kUnavailable, "no loop device can be attached here");
  return {};
}

std::uint64_t LoggedDrive::log_bytes() const {
  struct stat st{};
  return fstat(log_fd_, &st) == 0 ? static_cast<std::uint64_t>(st.st_size) : 0;
}

void LoggedDrive::stop() {
  if (log_fd_ >= 0) ::close(log_fd_);
  log_fd_ = -1;
  if (device_fd_ >= 0) ::close(device_fd_);
  device_fd_ = -1;
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
  // Should it have been killed, its export is still there.
  umount2(export_.c_str(), MNT_DETACH);
}

}  // namespace penstock
