// Counts the heap allocations of a shard's loop. The operators are replaced for the whole program;
// where jemalloc is linked, what C code takes by malloc() is counted too.
#include <cstdlib>
#include <new>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/ring/io_ring_linux.h"
#include "storage/volume/device_directory.h"
#include "tests/lib/log_fixture.h"
#include "tests/sim/node.h"
#include "tests/sim/traffic.h"

extern "C" int mallctl(const char* name, void* old_value, std::size_t* old_bytes, void* new_value,
                       std::size_t new_bytes) __attribute__((weak));

namespace {

thread_local std::uint64_t operator_new_calls = 0;

// Out of line: inlined, the compiler would see free() given what came from operator new.
[[gnu::noinline]] void* allocate(std::size_t bytes, std::size_t alignment) {
  ++operator_new_calls;
  void* memory = alignment <= alignof(std::max_align_t)
                     ? std::malloc(bytes)
                     : std::aligned_alloc(alignment, penstock::align_up(bytes, alignment));
  if (memory == nullptr) std::abort();
  return memory;
}

[[gnu::noinline]] void release(void* memory) { std::free(memory); }

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes, 1); }
void* operator new[](std::size_t bytes) { return allocate(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t /*bytes*/) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t /*alignment*/) noexcept { release(memory); }
void operator delete(void* memory, std::size_t /*bytes*/, std::align_val_t /*a*/) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::size_t /*bytes*/, std::align_val_t /*a*/) noexcept {
  release(memory);
}

namespace penstock::sim {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr unsigned kSteps = 10'000;
#else
constexpr unsigned kSteps = 100'000;
#endif

// Bytes that this thread has ever taken by malloc(); 0 without jemalloc.
std::uint64_t malloc_bytes() {
  std::uint64_t bytes = 0;
  std::size_t size = sizeof bytes;
  if (mallctl != nullptr) mallctl("thread.allocated", &bytes, &size, nullptr, 0);
  return bytes;
}

TEST(HotPath, AWarmShardAllocatesNothing) {
  TestFolder folder;
  test::PacketPool pool;
  SimClock clock;
  Rng rng(1);
  SimQueue queue(1024);
  Oracle oracle;
  Traffic traffic(rng, oracle, pool, queue);
  auto device = make_directory_device(folder.path(), DeviceAccess::kReadWrite).value();
  ASSERT_TRUE(device->lock().has_value());
  auto ring = make_io_ring_linux({}).value();
  const NodeGround ground{clock, rng, queue, oracle, folder.path() + "/ledger"};
  NodeOptions options;
  options.retention.max_bytes = 4 * kMiB;
  options.observed = false;  // the oracle allocates
  auto node = Node::start(ground, options, std::move(device), std::move(ring));
  ASSERT_TRUE(node.has_value()) << node.error().what;

  std::uint64_t operators = 0;
  std::uint64_t bytes = 0;
  const auto step = [&](bool counted) {
    clock.advance(20'000);
    if (rng.chance(300'000)) traffic.burst();
    (*node)->step_keeper();
    const std::uint64_t operators_before = operator_new_calls;
    const std::uint64_t bytes_before = malloc_bytes();
    (*node)->step_shard();
    if (!counted) return;
    operators += operator_new_calls - operators_before;
    bytes += malloc_bytes() - bytes_before;
  };
  // Every combination of streams has been seen, the first segments are filled.
  while ((*node)->log().counters().segments_closed < 3) step(false);
  const std::uint64_t received = queue.received();
  const std::uint64_t closed = (*node)->log().counters().segments_closed;
  for (unsigned i = 0; i < kSteps; ++i) step(true);
  EXPECT_EQ(operators, 0U);
  EXPECT_EQ(bytes, 0U);
  EXPECT_GT(queue.received(), received + kSteps);
  EXPECT_GT((*node)->log().counters().segments_closed, closed);
  fmt::print("FIGURE name=hot_path_allocations cases={} failed={}\n", kSteps,
             operators + (bytes == 0 ? 0U : 1U));
}

}  // namespace
}  // namespace penstock::sim
