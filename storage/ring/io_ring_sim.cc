#include "storage/ring/io_ring_sim.h"

#include <algorithm>
#include <deque>

#include "base/check.h"
#include "storage/format/format.h"

namespace penstock {
namespace {

constexpr int kNoFile = -1;

class SimRing final : public IoRing {
 public:
  SimRing(SimDrive& drive, const SimRingOptions& options)
      : drive_(drive),
        number_(drive.add_ring()),
        entries_(options.entries),
        files_(options.files, kNoFile) {}
  ~SimRing() override { drive_.kill(number_); }

  Result<> register_memory(std::span<std::byte> /*memory*/) override { return {}; }
  Result<unsigned> attach(int fd) override;
  void detach(unsigned index) override;
  bool queue_write(std::uint64_t token, IoFile file, std::uint64_t offset,
                   std::span<const std::byte> bytes, bool durable) override;
  bool queue_flush(std::uint64_t token, IoFile file) override;
  void submit() override;
  std::size_t reap(std::span<IoCompletion> completions) override {
    return drive_.finish(number_, completions);
  }
  unsigned in_flight() const override {
    return static_cast<unsigned>(queued_.size()) + drive_.in_flight(number_);
  }

 private:
  bool queue(const SimDrive::Operation& operation);
  [[nodiscard]] int file_at(unsigned index) const;

  SimDrive& drive_;
  unsigned number_;
  unsigned entries_;
  std::vector<int> files_;
  std::deque<SimDrive::Operation> queued_;
};

Result<unsigned> SimRing::attach(int fd) {
  CHECK(drive_.exists(fd));
  const auto free = std::ranges::find(files_, kNoFile);
  if (free == files_.end()) return fail(Errc::kNoSpace, "the simulated ring's file table is full");
  *free = fd;
  return static_cast<unsigned>(free - files_.begin());
}

int SimRing::file_at(unsigned index) const {
  CHECK_LT(index, files_.size());
  CHECK_NE(files_[index], kNoFile);
  return files_[index];
}

void SimRing::detach(unsigned index) {
  CHECK_NE(file_at(index), kNoFile);
  files_[index] = kNoFile;
}

bool SimRing::queue_write(std::uint64_t token, IoFile file, std::uint64_t offset,
                          std::span<const std::byte> bytes, bool durable) {
  // As O_DIRECT wants it.
  CHECK_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % kPageBytes, 0U);
  CHECK_EQ(bytes.size() % kPageBytes, 0U);
  CHECK_EQ(offset % kPageBytes, 0U);
  CHECK(!bytes.empty());
  return queue({number_, token, file_at(file.index), file.base + offset, bytes, durable});
}

bool SimRing::queue_flush(std::uint64_t token, IoFile file) {
  return queue({.ring = number_, .token = token, .file = file_at(file.index)});
}

bool SimRing::queue(const SimDrive::Operation& operation) {
  if (in_flight() >= entries_) return false;
  queued_.push_back(operation);
  return true;
}

void SimRing::submit() {
  for (std::size_t taken = drive_.takes(queued_.size()); taken > 0; --taken) {
    drive_.start(queued_.front());
    queued_.pop_front();
  }
}

}  // namespace

std::unique_ptr<IoRing> make_io_ring_sim(SimDrive& drive, const SimRingOptions& options) {
  return std::make_unique<SimRing>(drive, options);
}

}  // namespace penstock
