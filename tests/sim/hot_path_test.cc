// Counts the heap allocations of a shard's loop. The operators are replaced for the whole program;
// where jemalloc is linked, what C code takes by malloc() is counted too.
#include <cstdlib>
#include <new>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/door/syslog_parser.h"
#include "storage/ring/io_ring_linux.h"
#include "storage/volume/device_directory.h"
#include "tests/lib/log_fixture.h"
#include "tests/lib/packet_builder.h"
#include "tests/lib/sanitized.h"
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
void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  return allocate(bytes, 1);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept { release(memory); }
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

constexpr unsigned kSteps = test::kSanitized ? 10'000 : 100'000;
constexpr unsigned kStrangers = 50'000;  // enough for more combinations than a log remembers

// Bytes that this thread has ever taken by malloc(); 0 without jemalloc.
std::uint64_t malloc_bytes() {
  std::uint64_t bytes = 0;
  std::size_t size = sizeof bytes;
  if (mallctl != nullptr) mallctl("thread.allocated", &bytes, &size, nullptr, 0);
  return bytes;
}

// A shard on a real drive, and what its turns allocate from the first message on.
class HotPath : public testing::Test {
 protected:
  void start(std::vector<StreamSpec> streams = usual_streams()) {
    auto device = make_directory_device(folder_.path(), DeviceAccess::kReadWrite).value();
    ASSERT_TRUE(device->lock().has_value());
    const NodeGround ground{clock_, rng_, queue_, oracle_, folder_.path() + "/ledger"};
    NodeOptions options;
    options.streams = std::move(streams);
    options.retention.max_bytes = 4 * kMiB;
    options.observed = false;  // the oracle allocates
    auto node = Node::start(ground, options, std::move(device), make_io_ring_linux({}).value());
    ASSERT_TRUE(node.has_value()) << node.error().what;
    node_ = std::move(*node);
  }
  void turn() {
    clock_.advance(20'000);
    node_->step_keeper();
    const std::uint64_t operators = operator_new_calls;
    const std::uint64_t bytes = malloc_bytes();
    node_->step_shard();
    operators_ += operator_new_calls - operators;
    bytes_ += malloc_bytes() - bytes;
  }
  void expect_no_allocation(std::string_view name, unsigned cases) {
    EXPECT_EQ(operators_, 0U);
    EXPECT_EQ(bytes_, 0U);
    fmt::print("FIGURE name={} cases={} failed={}\n", name, cases,
               operators_ + (bytes_ == 0 ? 0U : 1U));
  }

  TestFolder folder_;
  test::PacketPool pool_;
  SimClock clock_;
  Rng rng_{1};
  SimQueue queue_{1024};
  Oracle oracle_;
  std::unique_ptr<Node> node_;
  std::uint64_t operators_ = 0;
  std::uint64_t bytes_ = 0;
};

TEST_F(HotPath, AShardAllocatesNothingFromItsFirstMessageOn) {
  start();
  Traffic traffic(rng_, oracle_, pool_, queue_);
  for (unsigned i = 0; i < kSteps; ++i) {
    if (rng_.chance(300'000)) traffic.burst();
    turn();
  }
  EXPECT_GT(queue_.received(), kSteps);
  EXPECT_GT(node_->log().counters().segments_closed, 4U);
  expect_no_allocation("hot_path_allocations", kSteps);
}

constexpr std::uint8_t kNames = 24;  // of hosts, and of applications

// Streams in more combinations than a log remembers.
std::vector<StreamSpec> crossing_streams() {
  std::vector<StreamSpec> streams{
      {"lines", "lines.>"}
  };
  for (std::uint8_t i = 0; i < kNames; ++i) {
    streams.push_back({fmt::format("host{}", i), fmt::format("syslog.*.*.h{}.>", i)});
    streams.push_back({fmt::format("app{}", i), fmt::format("syslog.*.*.*.a{}", i)});
  }
  for (std::uint8_t i = 0; i < 8; ++i) {
    streams.push_back({fmt::format("facility{}", i), fmt::format("syslog.{}.>", facility_name(i))});
    if (i == 7) break;
    streams.push_back(
        {fmt::format("severity{}", i), fmt::format("syslog.*.{}.>", severity_name(i))});
  }
  return streams;
}

TEST_F(HotPath, AShardAllocatesNothingForSendersSubjectsAndCombinationsItNeverSaw) {
  start(crossing_streams());
  unsigned sent = 0;
  for (unsigned i = 0; i < kStrangers; ++i) {
    const std::string source = fmt::format("fd00::{:x}:{:x}", rng_.below(0xFFFF), 9 + i % 1000);
    const std::string source4 = fmt::format("10.0.0.{}", 3 + rng_.below(200));
    const bool v6 = rng_.chance(500'000);
    const bool line = rng_.chance(300'000);
    std::string text = "one line\nand another\n";
    if (!line) {
      // Few names, so that combinations repeat, and many, so that routes do not.
      const std::string host = rng_.chance(200'000) ? std::string(60, 'h') + std::to_string(i)
                                                    : fmt::format("h{}", rng_.below(kNames + 1));
      text = fmt::format("<{}>1 - {} a{} - - - text", rng_.below(72), host, rng_.below(kNames + 1));
    }
    const test::Layer udp = test::udp({.destination_port = line ? kLinePort : kSyslogPort}, text);
    const test::Network network =
        v6 ? test::ipv6({.source = source}, udp) : test::ipv4({.source = source4}, udp);
    if (queue_.feed(pool_.packet(test::ethernet({}, network)))) ++sent;
    turn();
  }
  node_->publish();
  const MessageAccount& total = node_->total();
  EXPECT_GE(total.offered.count, sent);
  EXPECT_GT(total.fates[static_cast<std::size_t>(MessageFate::kStored)].count, 0U);
  EXPECT_GT(total.fates[static_cast<std::size_t>(MessageFate::kNoStream)].count, 0U);
  EXPECT_GT(total.fates[static_cast<std::size_t>(MessageFate::kCapturesFull)].count, 0U);
  node_->check_books();
  expect_no_allocation("hot_path_allocations_of_strangers", sent);
}

}  // namespace
}  // namespace penstock::sim
