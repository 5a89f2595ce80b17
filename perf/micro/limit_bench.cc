// What no stage can do without: copies, checksums and searches of the same bytes. The other
// benchmarks are told as shares of these, measured in the same run.

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"
#include "dataplane/frame/checksum.h"
#include "perf/micro/counted.h"

namespace penstock::micro {
namespace {

void internet_checksum(benchmark::State& state) {
  const std::string bytes = text(size_of(state));
  for (auto _ : state) benchmark::DoNotOptimize(checksum_add(0, bytes_of(bytes)));
  count(state, {.bytes = bytes.size()});
}
BENCHMARK(internet_checksum)->Arg(64)->Arg(256)->Arg(1024);

void crc32c(benchmark::State& state) {
  const std::string bytes = text(size_of(state));
  for (auto _ : state) benchmark::DoNotOptimize(penstock::crc32c(bytes_of(bytes)));
  count(state, {.bytes = bytes.size()});
}
BENCHMARK(crc32c)->Arg(4096)->Arg(128 << 10)->Arg(256 << 10);

void copy(benchmark::State& state) {
  const std::string from = text(size_of(state));
  std::string to(from.size(), ' ');
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  count(state, {.bytes = from.size()});
}
BENCHMARK(copy)->Arg(64)->Arg(4096)->Arg(32768);

// One after the other, and nothing done with them.
void find_all(benchmark::State& state, const std::string& bytes, char mark) {
  for (auto _ : state) {
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    while (at != end) {
      at = static_cast<const char*>(std::memchr(at, mark, static_cast<std::size_t>(end - at))) + 1;
      benchmark::DoNotOptimize(at);
    }
  }
  const auto found = static_cast<std::size_t>(std::ranges::count(bytes, mark));
  count(state, {.items = found, .bytes = bytes.size()});
}

void find_spaces(benchmark::State& state) {
  find_all(state, "<134>1 2026-01-01T00:00:00.000000Z host1 blast 4711 - - ", ' ');
}
BENCHMARK(find_spaces);

void find_newlines(benchmark::State& state) { find_all(state, lines(size_of(state)), '\n'); }
BENCHMARK(find_newlines)->Arg(100);

}  // namespace
}  // namespace penstock::micro
