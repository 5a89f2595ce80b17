// Where a message goes: remembered for a sender that is known, worked out for one that is new.

#include <array>
#include <cstring>

#include "base/check.h"
#include "dataplane/subject/route_cache.h"
#include "dataplane/subject/stream_router.h"
#include "perf/micro/counted.h"

namespace penstock::micro {
namespace {

constexpr std::string_view kSubject = "syslog.local0.info.host1.blast";

constexpr std::size_t kKeyBytesMax = 20;
constexpr std::size_t kRoutesKept = 4096;

// What a syslog door looks a route up by: some 20 bytes, told apart by `sender`.
std::array<std::byte, kKeyBytesMax> key_of(std::uint64_t sender) {
  std::array<std::byte, kKeyBytesMax> key{};
  std::memcpy(key.data(), &sender, sizeof sender);
  return key;
}

void route_known(benchmark::State& state) {
  RouteCache cache(kKeyBytesMax, kSubject.size(), 1, kRoutesKept);
  const auto key = key_of(1);
  CHECK(cache.find(key) == nullptr);
  CHECK(cache.keep(key, {kSubject, CaptureSetId(0)}) != nullptr);
  for (auto _ : state) benchmark::DoNotOptimize(cache.find(key));
  count(state, {.bytes = key.size()});
}
BENCHMARK(route_known);

void route_new(benchmark::State& state) {
  RouteCache cache(kKeyBytesMax, kSubject.size(), 1, kRoutesKept);
  std::vector<Stream> streams;
  for (const std::string_view filter : {"syslog.>", "syslog.*.err.>", "*.local0.>", "lines.>"}) {
    streams.push_back({std::string(filter), {SubjectFilter::parse(filter).value()}});
  }
  Rng rng(1);
  const Routing routing(std::move(streams), rng);
  StreamRouter router(routing, [](auto) { return CaptureSetId(0); });
  std::uint64_t sender = 0;
  for (auto _ : state) {
    const auto key = key_of(++sender);
    CHECK(cache.find(key) == nullptr);
    benchmark::DoNotOptimize(cache.keep(key, {kSubject, router.match(kSubject)}));
  }
  count(state, {.bytes = sizeof key_of(0)});
}
BENCHMARK(route_new);

}  // namespace
}  // namespace penstock::micro
