#include <algorithm>
#include <vector>

#include "storage/ring/io_ring_linux.h"

namespace penstock {
namespace {

constexpr std::size_t kQueueMax = 256;

// Completes everything at the next reap.
class NullRing final : public IoRing {
 public:
  NullRing() { queue_.reserve(kQueueMax); }
  Result<> register_memory(std::span<std::byte> /*memory*/) override { return {}; }
  Result<unsigned> attach(int /*fd*/) override { return 0U; }
  void detach(unsigned /*index*/) override {}
  bool queue_write(std::uint64_t token, IoFile /*file*/, std::uint64_t /*offset*/,
                   std::span<const std::byte> bytes, bool /*durable*/) override {
    return add({token, static_cast<std::int32_t>(bytes.size())});
  }
  bool queue_flush(std::uint64_t token, IoFile /*file*/) override { return add({token, 0}); }
  void submit() override {}
  std::size_t reap(std::span<IoCompletion> completions) override {
    const std::size_t count = std::min(completions.size(), queue_.size());
    std::copy_n(queue_.begin(), count, completions.begin());
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }
  unsigned in_flight() const override { return static_cast<unsigned>(queue_.size()); }

 private:
  bool add(IoCompletion completion) {
    if (queue_.size() == kQueueMax) return false;
    queue_.push_back(completion);
    return true;
  }
  std::vector<IoCompletion> queue_;
};

}  // namespace

std::unique_ptr<IoRing> make_io_ring_null() { return std::make_unique<NullRing>(); }

}  // namespace penstock
