#include "storage/ring/io_ring_linux.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include <fmt/format.h>
#include <liburing.h>

#include "base/check.h"
#include "base/units.h"

namespace penstock {
namespace {

constexpr std::size_t kBufferBytesMax = 1 * kGiB;  // the kernel's limit for one registered buffer

class LinuxRing final : public IoRing {
 public:
  ~LinuxRing() override {
    if (started_) io_uring_queue_exit(&ring_);
  }

  Result<> start(const IoRingOptions& options);
  Result<> register_memory(std::span<std::byte> memory) override;
  Result<unsigned> attach(int fd) override;
  void detach(unsigned index) override;
  bool queue_write(std::uint64_t token, IoFile file, std::uint64_t offset,
                   std::span<const std::byte> bytes, bool durable) override;
  bool queue_flush(std::uint64_t token, IoFile file) override;
  void submit() override;
  std::size_t reap(std::span<IoCompletion> completions) override;
  unsigned in_flight() const override { return queued_ + in_flight_; }

 private:
  io_uring_sqe* next_entry(std::uint64_t token, IoFile file);
  [[nodiscard]] int buffer_of(std::span<const std::byte> bytes) const;

  io_uring ring_{};
  std::vector<iovec> buffers_;
  std::vector<bool> files_;  // by index: in use
  unsigned entries_ = 0;
  unsigned queued_ = 0;
  unsigned in_flight_ = 0;
  bool started_ = false;
  bool polled_ = false;    // by a kernel thread, which takes whatever is queued
  bool deferred_ = false;  // completions are made when we ask for them
};

std::string_view remedy_for(int error) {
  switch (error) {
    case ENOMEM: return ": raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=)";
    case EMFILE: return ": raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=)";
    case EPERM: return ": allow it (sysctl kernel.io_uring_disabled=0, or the container's seccomp)";
    case ENOSYS: return ": take a kernel that has it, or the container's seccomp off it";
    default: return "";
  }
}

Result<> LinuxRing::start(const IoRingOptions& options) {
  // From the best the newest kernels have down to what every kernel with io_uring takes.
  const unsigned polling = options.kernel_polling ? unsigned{IORING_SETUP_SQPOLL} : 0U;
  const std::array<unsigned, 3> choices{
      polling != 0
          ? polling | IORING_SETUP_SINGLE_ISSUER
          : IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
      polling != 0 ? polling : IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, polling};
  int result = -EINVAL;
  for (const unsigned flags : choices) {
    io_uring_params params{};
    params.flags = flags;
    params.sq_thread_idle = 100;  // milliseconds
    result = io_uring_queue_init_params(options.entries, &ring_, &params);
    deferred_ = (flags & (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN)) != 0;
    if (result != -EINVAL) break;
  }
  if (result < 0) return fail_errno(-result, fmt::format("start io_uring{}", remedy_for(-result)));
  started_ = true;
  polled_ = options.kernel_polling;
  entries_ = options.entries;
  files_.assign(options.files, false);
  const std::vector<int> none(options.files, -1);
  result = io_uring_register_files(&ring_, none.data(), options.files);
  if (result < 0) return fail_errno(-result, "register io_uring's file table");
  return {};
}

Result<> LinuxRing::register_memory(std::span<std::byte> memory) {
  CHECK(buffers_.empty());
  for (std::size_t at = 0; at < memory.size(); at += kBufferBytesMax) {
    const auto part = memory.subspan(at, std::min(kBufferBytesMax, memory.size() - at));
    buffers_.push_back({part.data(), part.size()});
  }
  const int result =
      io_uring_register_buffers(&ring_, buffers_.data(), static_cast<unsigned>(buffers_.size()));
  if (result < 0) {
    buffers_.clear();
    return fail_errno(-result,
                      fmt::format("register {} MiB with io_uring: raise RLIMIT_MEMLOCK "
                                  "(ulimit -l, LimitMEMLOCK=) or lower the volume's memory",
                                  memory.size() / kMiB));
  }
  return {};
}

Result<unsigned> LinuxRing::attach(int fd) {
  const auto free = std::ranges::find(files_, false);
  if (free == files_.end()) return fail(Errc::kNoSpace, "io_uring's file table is full");
  const auto index = static_cast<unsigned>(free - files_.begin());
  const int result = io_uring_register_files_update(&ring_, index, &fd, 1);
  if (result < 0) return fail_errno(-result, "register a file with io_uring");
  *free = true;
  return index;
}

void LinuxRing::detach(unsigned index) {
  const int none = -1;
  io_uring_register_files_update(&ring_, index, &none, 1);
  files_[index] = false;
}

io_uring_sqe* LinuxRing::next_entry(std::uint64_t token, IoFile file) {
  if (queued_ + in_flight_ >= entries_) return nullptr;
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) return nullptr;
  ++queued_;
  io_uring_prep_nop(entry);
  entry->fd = static_cast<int>(file.index);
  entry->user_data = token;
  return entry;
}

int LinuxRing::buffer_of(std::span<const std::byte> bytes) const {
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    const auto* begin = static_cast<const std::byte*>(buffers_[i].iov_base);
    if (bytes.data() >= begin && bytes.data() + bytes.size() <= begin + buffers_[i].iov_len) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

bool LinuxRing::queue_write(std::uint64_t token, IoFile file, std::uint64_t offset,
                            std::span<const std::byte> bytes, bool durable) {
  io_uring_sqe* entry = next_entry(token, file);
  if (entry == nullptr) return false;
  const int buffer = buffer_of(bytes);
  const auto fd = static_cast<int>(file.index);
  const auto length = static_cast<unsigned>(bytes.size());
  if (buffer >= 0) {
    io_uring_prep_write_fixed(entry, fd, bytes.data(), length, file.base + offset, buffer);
  } else {
    io_uring_prep_write(entry, fd, bytes.data(), length, file.base + offset);
  }
  entry->user_data = token;
  entry->flags |= IOSQE_FIXED_FILE;
  if (durable) entry->rw_flags = RWF_DSYNC;
  return true;
}

bool LinuxRing::queue_flush(std::uint64_t token, IoFile file) {
  io_uring_sqe* entry = next_entry(token, file);
  if (entry == nullptr) return false;
  io_uring_prep_fsync(entry, static_cast<int>(file.index), IORING_FSYNC_DATASYNC);
  entry->user_data = token;
  entry->flags |= IOSQE_FIXED_FILE;
  return true;
}

void LinuxRing::submit() {
  if (queued_ > 0) {
    // With deferred work the same call runs what has completed meanwhile.
    int taken = deferred_ ? io_uring_submit_and_get_events(&ring_) : io_uring_submit(&ring_);
    // With a polling kernel thread the call tells what that has not seen yet, older ones included.
    if (polled_) taken = static_cast<int>(queued_);
    if (taken > 0) {
      queued_ -= static_cast<unsigned>(taken);
      in_flight_ += static_cast<unsigned>(taken);
    }
  } else if (in_flight_ > 0 && deferred_ &&
             (IO_URING_READ_ONCE(*ring_.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) !=
                 0) {
    io_uring_get_events(&ring_);
  }
}

std::size_t LinuxRing::reap(std::span<IoCompletion> completions) {
  std::size_t count = 0;
  io_uring_cqe* event = nullptr;
  while (count < completions.size() && io_uring_peek_cqe(&ring_, &event) == 0) {
    completions[count++] = {event->user_data, event->res};
    io_uring_cqe_seen(&ring_, event);
    --in_flight_;
  }
  return count;
}

}  // namespace

Result<std::unique_ptr<IoRing>> make_io_ring_linux(const IoRingOptions& options) {
  auto ring = std::make_unique<LinuxRing>();
  if (auto started = ring->start(options); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return ring;
}

}  // namespace penstock
