#include "storage/ring/io_ring_linux.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "storage/volume/file.h"
#include "tests/lib/log_fixture.h"

namespace penstock {
namespace {

constexpr unsigned kEntries = 8;

class IoRingLinuxTest : public testing::TestWithParam<bool> {};

// With a polling kernel thread a submission is not taken at once: it is neither counted twice nor
// forgotten.
TEST_P(IoRingLinuxTest, CountsWhatIsInFlight) {
  const TestFolder folder;
  const std::string path = folder.path() + "/file";
  const auto file = File::open(path, O_RDWR | O_CREAT | O_DIRECT, 0644).value();
  const auto ring = make_io_ring_linux({.entries = kEntries, .kernel_polling = GetParam()}).value();
  const PageBuffer pages = allocate_pages(kEntries * kPageBytes);
  ASSERT_TRUE(ring->register_memory({pages.get(), kEntries * kPageBytes}).has_value());
  const IoFile target{ring->attach(file.fd()).value(), 0};

  std::uint64_t queued = 0;
  std::uint64_t completed = 0;
  const MonotonicNanos deadline = SystemClock().monotonic_now() + 20 * kNanosPerSecond;
  while (completed < 5'000 && SystemClock().monotonic_now() < deadline) {
    const std::size_t page = queued % kEntries;
    if (queued < 5'000 && ring->queue_write(queued, target, page * kPageBytes,
                                            {pages.get() + page * kPageBytes, kPageBytes}, false)) {
      ++queued;
    }
    ring->submit();
    std::array<IoCompletion, 4> done;
    const std::size_t count = ring->reap(done);
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(done[i].result, int{kPageBytes});
    completed += count;
    ASSERT_EQ(ring->in_flight(), queued - completed);
    ASSERT_LE(ring->in_flight(), kEntries);
  }
  EXPECT_EQ(completed, 5'000U);
}

INSTANTIATE_TEST_SUITE_P(Submission, IoRingLinuxTest, testing::Bool(), [](const auto& mode) {
  return mode.param ? "ByAKernelThread" : "BySystemCall";
});

}  // namespace
}  // namespace penstock
