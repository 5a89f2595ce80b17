// The least that a durable acknowledgement can take on a drive: writes blocks of one size to a file
// that is there already, at a rate, by the ring and with the options that a shard uses, and nothing
// else. The latency of each counts from when it was to be written, however late it could be.
//
//   floor FILE FILE_BYTES BLOCK_BYTES BLOCKS_PER_SECOND SECONDS DEPTH
//
// prints one JSON object: {"blocks": N, "seconds": S, "latency_us": {"p50": ..., "p99": ...,
// "p99.9": ..., "max": ...}}
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "dataplane/shard/block_memory.h"
#include "perf/arguments.h"
#include "storage/ring/io_ring_linux.h"

namespace penstock::floor {
namespace {

constexpr std::size_t kPage = 4096;

struct Arguments {
  std::string_view path;
  std::size_t file_bytes = 0;
  std::size_t block_bytes = 0;
  double rate = 0;
  double seconds = 0;
  unsigned depth = 0;
};

// Each block of the file is written once before it counts, so that nothing is allocated then.
bool fill(int file, std::span<const std::byte> block, std::size_t file_bytes) {
  for (std::size_t at = 0; at + block.size() <= file_bytes; at += block.size()) {
    if (pwrite(file, block.data(), block.size(), static_cast<off_t>(at)) !=
        static_cast<ssize_t>(block.size())) {
      return false;
    }
  }
  return fsync(file) == 0;
}

class Floor {
 public:
  Floor(const Arguments& arguments, IoRing& ring, IoFile file, std::span<std::byte> memory)
      : arguments_(arguments), ring_(ring), file_(file), memory_(memory), due_(arguments.depth) {
    for (unsigned i = arguments.depth; i > 0; --i) free_.push_back(i - 1);
  }

  // False: the drive failed.
  bool run() {
    start_ = clock_.monotonic_now();
    const auto wanted = static_cast<std::uint64_t>(arguments_.rate * arguments_.seconds);
    while (done_ < wanted) {
      const MonotonicNanos now = clock_.monotonic_now();
      while (queued_ < wanted && !free_.empty() && due_at(queued_) <= now) queue_next();
      ring_.submit();
      if (!reap()) return false;
    }
    seconds_ = static_cast<double>(clock_.monotonic_now() - start_) / 1e9;
    return true;
  }

  void print() const {
    const auto at = [this](double share) {
      return static_cast<double>(latencies_.at(share)) / 1e3;
    };
    fmt::print(
        "{{\"blocks\": {}, \"seconds\": {:.6f}, \"latency_us\": {{\"p50\": {:.3f}, \"p99\": "
        "{:.3f}, \"p99.9\": {:.3f}, \"max\": {:.3f}}}}}\n",
        done_, seconds_, at(0.5), at(0.99), at(0.999), static_cast<double>(latencies_.max()) / 1e3);
  }

 private:
  [[nodiscard]] MonotonicNanos due_at(std::uint64_t block) const {
    return start_ + static_cast<std::int64_t>(static_cast<double>(block) * 1e9 / arguments_.rate);
  }

  void queue_next() {
    const unsigned buffer = free_.back();
    const std::size_t places = arguments_.file_bytes / arguments_.block_bytes;
    const auto bytes = memory_.subspan(buffer * arguments_.block_bytes, arguments_.block_bytes);
    if (!ring_.queue_write(buffer, file_, queued_ % places * arguments_.block_bytes, bytes, true)) {
      return;
    }
    free_.pop_back();
    due_[buffer] = due_at(queued_++);
  }

  bool reap() {
    std::array<IoCompletion, 64> completions;
    const std::size_t count = ring_.reap(completions);
    const MonotonicNanos now = clock_.monotonic_now();
    for (const IoCompletion& one : std::span(completions).first(count)) {
      if (one.result != static_cast<std::int32_t>(arguments_.block_bytes)) return false;
      latencies_.record(static_cast<std::uint64_t>(now - due_[one.token]));
      free_.push_back(static_cast<unsigned>(one.token));
      ++done_;
    }
    return true;
  }

  const Arguments& arguments_;
  IoRing& ring_;
  IoFile file_;
  std::span<std::byte> memory_;
  SystemClock clock_;
  std::vector<MonotonicNanos> due_;  // by buffer
  std::vector<unsigned> free_;       // buffers
  MonotonicNanos start_;
  std::uint64_t queued_ = 0;
  std::uint64_t done_ = 0;
  double seconds_ = 0;
  Histogram latencies_;
};

int complain(std::string_view what) {
  fmt::print(stderr, "floor: {}\n", what);
  return 1;
}

int run(int argc, char** argv) {
  if (argc != 7) {
    fmt::print(stderr,
               "usage: floor FILE FILE_BYTES BLOCK_BYTES BLOCKS_PER_SECOND SECONDS DEPTH\n");
    return 2;
  }
  const Arguments arguments{.path = argv[1],
                            .file_bytes = number_of<std::size_t>(argv[2]),
                            .block_bytes = align_up(number_of<std::size_t>(argv[3]), kPage),
                            .rate = number_of<double>(argv[4]),
                            .seconds = number_of<double>(argv[5]),
                            .depth = number_of<unsigned>(argv[6])};
  auto memory = BlockMemory::take(arguments.depth * arguments.block_bytes, true);
  if (!memory) return complain(memory.error().what);
  const int file = open(argv[1], O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644);
  if (file < 0) return complain("the file cannot be opened");
  if (!fill(file, memory->bytes().first(arguments.block_bytes), arguments.file_bytes)) {
    return complain("the file cannot be filled");
  }
  auto ring = make_io_ring_linux({.entries = 2 * arguments.depth + 8});
  if (!ring) return complain(ring.error().what);
  if (const auto known = (*ring)->register_memory(memory->bytes()); !known) {
    return complain(known.error().what);
  }
  const auto index = (*ring)->attach(file);
  if (!index) return complain(index.error().what);
  Floor measured(arguments, **ring, {.index = *index}, memory->bytes());
  if (!measured.run()) return complain("the drive failed");
  measured.print();
  return 0;
}

}  // namespace
}  // namespace penstock::floor

int main(int argc, char** argv) { return penstock::floor::run(argc, argv); }
