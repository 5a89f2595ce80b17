// The seam to the drive by itself: writes queued, submitted and reaped on the ring that keeps
// nothing.

#include <algorithm>
#include <array>

#include "base/check.h"
#include "perf/micro/counted.h"
#include "storage/ring/io_ring_linux.h"
#include "storage/volume/volume_device.h"

namespace penstock::micro {
namespace {

void ring_null(benchmark::State& state) {
  const auto ring = make_io_ring_null();
  const PageBuffer page = allocate_pages(kPageBytes);
  std::array<IoCompletion, 64> done;
  for (auto _ : state) {
    for (std::size_t i = 0; i < size_of(state); ++i) {
      CHECK(ring->queue_write(i, {}, 0, {page.get(), kPageBytes}, true));
    }
    ring->submit();
    CHECK_EQ(ring->reap(done), size_of(state));
    benchmark::DoNotOptimize(done);
  }
  count(state, {.items = size_of(state), .bytes = size_of(state) * sizeof(IoCompletion)});
}
BENCHMARK(ring_null)->Arg(1)->Arg(8);

// The same tokens through two arrays.
void hand_over(benchmark::State& state) {
  std::array<IoCompletion, 64> queue;
  std::array<IoCompletion, 64> done;
  for (auto _ : state) {
    for (std::size_t i = 0; i < size_of(state); ++i) queue[i] = {i, kPageBytes};
    benchmark::DoNotOptimize(queue);
    std::copy_n(queue.begin(), size_of(state), done.begin());
    benchmark::DoNotOptimize(done);
  }
  count(state, {.items = size_of(state), .bytes = size_of(state) * sizeof(IoCompletion)});
}
BENCHMARK(hand_over)->Arg(1)->Arg(8);

}  // namespace
}  // namespace penstock::micro
